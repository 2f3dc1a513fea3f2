"""Bytes on the wire, however they are cut."""

import socket
from urllib.parse import urlsplit

import httpx
from tests.gateway.clients import Api

from craftlog.testing.stack import Stack

GET = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def answers(stack: Stack, *pieces: bytes) -> bytes:
    """Send pieces one after the other on one connection and return all that comes back until it is closed."""
    where = urlsplit(stack.base_url)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while data := connection.recv(1 << 16):
            received += data
    return received


class TestConnection:
    def test_takes_requests_one_after_the_other_and_at_once(self, stack: Stack) -> None:
        assert answers(stack, GET, GET, LAST).count(b"HTTP/1.1 200") == 3
        assert answers(stack, GET + GET + LAST).count(b"HTTP/1.1 200") == 3

    def test_takes_a_request_byte_by_byte(self, stack: Stack) -> None:
        assert answers(stack, *(bytes([byte]) for byte in LAST)).count(b"HTTP/1.1 200") == 1

    def test_takes_and_gives_bodies_larger_than_its_buffer(self, http: httpx.Client) -> None:
        api = Api(http)
        session = api.make("session")
        texts = [letter * 1_000_000 for letter in "abc"]
        for text in texts:
            api.append(session, text)
        assert [item["content"] for item in api.get(f"/session/{session}/messages")["items"]] == texts

    def test_refuses_what_is_no_http(self, stack: Stack) -> None:
        assert answers(stack, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 hello\r\n\r\n").startswith(b"HTTP/1.1 400")
