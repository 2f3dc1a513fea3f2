"""Pure: how a request to S3 says who sends it."""

from datetime import datetime
from hashlib import sha256
from hmac import digest

from craftlog.runtime.settings import Settings


class Signer:
    """AWS's signature, version 4, of a request's headers. The key of a day is derived once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = "", b""

    def signed(self, method: str, path: str, hashed: str, headers: dict[str, str], now: datetime) -> dict[str, str]:
        """Return the headers with those that sign them.

        Args:
            method: GET, PUT …
            path: percent-encoded, as it is sent; there is no query.
            hashed: the body's SHA-256 in hex.
            headers: with ``host``; all names in lower case.
            now: in UTC.
        """
        time = now.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{self._settings.s3_region}/s3/aws4_request"
        headers = {**headers, "x-amz-content-sha256": hashed, "x-amz-date": time}
        names = sorted(headers)
        # Of several spaces in a row S3 signs one, wherever they are.
        lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
        request = f"{method}\n{path}\n\n{lines}\n{';'.join(names)}\n{hashed}"
        to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = digest(self._of_day(time[:8]), to_sign.encode(), "sha256").hex()
        who = f"Credential={self._settings.s3_access_key}/{scope}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {who}, SignedHeaders={';'.join(names)}, Signature={signature}"
        return headers

    def _of_day(self, day: str) -> bytes:
        if self._key[0] != day:
            key = f"AWS4{self._settings.s3_secret_key.get_secret_value()}".encode()
            for step in (day, self._settings.s3_region, "s3", "aws4_request"):
                key = digest(key, step.encode(), "sha256")
            self._key = day, key
        return self._key[1]
