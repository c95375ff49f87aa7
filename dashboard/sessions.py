"""Ends explorer sessions when their browser leaves, so that no uploaded photo outlives its visitor.

Closes two gaps of bokeh-fastapi: a closed websocket is never reported to its session, which then stays in memory for as
long as the server runs; and a message that cannot be read is logged with its content. Neither has a public hook, so a
private method is wrapped; a test opens and closes a session through it.
"""

import logging

from bokeh_fastapi.handler import WSHandler

_LOG = "bokeh_fastapi.handler"


def install() -> None:
    """Close the gaps, once per process."""
    if getattr(WSHandler, "_meanface", False):
        return
    receive = WSHandler._receive_loop

    async def receive_then_leave(self: WSHandler) -> None:
        try:
            await receive(self)
        finally:
            if self.connection is not None:
                self.application.client_lost(self.connection)

    WSHandler._receive_loop = receive_then_leave
    WSHandler._meanface = True
    logging.getLogger(_LOG).addFilter(_without_content)


def _without_content(record: logging.LogRecord) -> bool:
    """Keep the log message, drop what the browser sent."""
    if record.levelno >= logging.ERROR and record.args:
        record.msg, record.args, record.exc_info = str(record.msg).split(":")[0], (), None
    return True
