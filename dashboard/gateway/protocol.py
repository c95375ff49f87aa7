"""HTTP as uvicorn speaks it, and limits to how long a client may take to say what it wants, and how much it may say."""

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_HEAD = 64 * 2**10  # bytes of a request line with its headers


class _Joined:
    """Sends the head of an answer together with the first part of its body, as ASGI has it.

    uvicorn writes them one after the other: each time the system sends a packet and wakes the client.

    Parameters
    ----------
    transport
        The connection.
    cycle
        Request and answer, whose connection this is.
    """

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport = transport
        self._cycle = cycle
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Keep the head, and write everything else."""
        if not self._cycle.response_started:  # "100 Continue"
            self._transport.write(data)
        elif self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def close(self) -> None:
        """Write what is kept, and close the connection."""
        self._transport.write(self._head or b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be."""
        return self._transport.is_closing()


class Protocol(HttpToolsProtocol):
    """Closes a connection on which no request has come within ``head_seconds``; uvicorn would keep it for ever."""

    head_seconds = 10.0
    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once a request has come, start it with the next one's first bytes."""
        if not self._is_answering():
            self._head += len(data)
        super().data_received(data)
        if self._is_answering() or self._upgraded or self.transport.is_closing():
            self._stop()
        elif self._head > _HEAD:
            self.send_400_response(f"the head of the request is over {_HEAD // 2**10} KB")
        elif self._deadline is None:
            self._start()

    def on_headers_complete(self) -> None:
        """Count the next request's head from here on."""
        self._head = 0
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.scope["method"] != "HEAD":  # its answer is a head
            self.cycle.transport = _Joined(self.transport, self.cycle)  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Let the clock be stopped: the connection is a websocket's from now on."""
        self._upgraded = True
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP with problem details."""
        problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": msg}
        body = json.dumps(problem).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.transport.close()
