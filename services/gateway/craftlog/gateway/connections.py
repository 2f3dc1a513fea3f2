"""How bytes come in: in small pieces, so that a hundred uploads at once have only little each in memory."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PIECE: Final = 32 * 1024


class Connection(asyncio.BufferedProtocol):
    """Uvicorn's protocol behind a buffer of our own: without it the loop reads up to 256 KB of each connection."""

    # All share it: what was read is taken out before the loop reads on.
    _BUFFER: Final = memoryview(bytearray(_PIECE))

    def __init__(self, **made: Any) -> None:
        self._http = HttpToolsProtocol(**made)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return where to put what arrives."""
        return self._BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has arrived."""
        self._http.data_received(bytes(self._BUFFER[:nbytes]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._http.connection_made(transport)  # type: ignore[arg-type] # uvicorn says which

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._http.connection_lost(exc)

    def eof_received(self) -> None:
        """Do what uvicorn does when the other side has said all."""
        self._http.eof_received()

    def pause_writing(self) -> None:
        """Wait until the other side has read more."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._http.resume_writing()
