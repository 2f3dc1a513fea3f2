"""The objects: SeaweedFS in its one-process form, with the S3 API and one pair of keys."""

import asyncio
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import urllib3
from minio import Minio
from minio.error import MinioException

from craftlog.cli.child import Child, program
from craftlog.cli.folder import LOOPBACK, write

BUCKET: Final = "craftlog"
REGION: Final = "us-east-1"
_LISTENERS: Final = ("s3", "master", "volume", "filer", "admin")
# Every listener and its gRPC twin gets a port of ours; the defaults are the same for everybody on the machine.
PORTS: Final = tuple(name for listener in _LISTENERS for name in (listener, f"{listener}.grpc"))


def endpoint(ports: Mapping[str, int]) -> str:
    """Return the ``host:port`` of the S3 API."""
    return f"{LOOPBACK}:{ports['s3']}"


def server(folder: Path, ports: Mapping[str, int], access_key: str, secret_key: str) -> Child:
    """Return the server that keeps its volumes in ``folder``; ``ports`` has one for each of PORTS."""
    _write_keys(folder / "s3.json", access_key, secret_key)

    async def ready() -> bool:
        return await asyncio.to_thread(_takes_objects, endpoint(ports), access_key, secret_key)

    listeners = (
        flag
        for name in _LISTENERS
        for flag in (f"-{name}.port={ports[name]}", f"-{name}.port.grpc={ports[f'{name}.grpc']}")
    )
    argv = (
        *(program("weed"), "-logtostderr=true", "mini", f"-dir={folder}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"),
        *listeners,
        *("-s3.config=s3.json", "-s3.allowDeleteBucketNotEmpty=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-master.volumeSizeLimitMB=64"),
        # Relative to its folder: the name of a socket may not have more than some hundred characters.
        *("-volume.preStopSeconds=0", "-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"),
    )
    return Child("s3", argv, ready, env={"GOMEMLIMIT": "300MiB"}, folder=folder)


def _write_keys(path: Path, access_key: str, secret_key: str) -> None:
    owner = {
        "name": "craftlog",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    write(path, json.dumps({"identities": [owner]}), mode=0o600)


def _takes_objects(address: str, access_key: str, secret_key: str) -> bool:
    """Put an object and take it away again; the port accepts connections seconds before that works."""
    pool = urllib3.PoolManager(timeout=2, retries=False)
    client = Minio(address, access_key, secret_key, secure=False, region=REGION, http_client=pool)
    try:
        if not client.bucket_exists(BUCKET):
            client.make_bucket(BUCKET)
        client.put_object(BUCKET, ".ready", io.BytesIO(b"."), 1)
        client.remove_object(BUCKET, ".ready")
    except (MinioException, urllib3.exceptions.HTTPError):
        return False
    finally:
        pool.clear()
    return True
