"""Takes photos from a visitor's browser, one at a time, and tells it what is found in each.

The browser checks files before it sends them and shows the photos itself; nothing that was sent stays here. What it
does is in photos.mjs.
"""

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import panel as pn
import param

from analysis.data import kinds
from dashboard import parts
from dashboard.uploads import MAX_FILE_BYTES

MOST_PHOTOS = 100  # that a browser takes at a time; they are sent and scored one after the other

_log = logging.getLogger(__name__)


class PhotoBox(pn.custom.JSComponent):
    """Where photos are dropped, chosen, pasted or taken, and shown with their faces.

    Parameters
    ----------
    score
        Called with the name and the bytes of each photo; gives ``faces``, as JSON, or an ``error``.
    refused
        Called with the name of each file that the browser did not send, and the reason.
    explain
        Called with a face as the model saw it, which the browser sends back; gives a heat map, as JSON, or an
        ``error``.
    samples
        Name -> JPEG of each sample that a visitor may try.
    **params
        Of `panel.custom.JSComponent`.
    """

    samples = param.List(doc="Name and data URL of each sample.")
    band = param.List(doc="Probabilities between which a face is uncertain.")
    colours = param.Dict(doc="Label -> colour.")
    endings = param.List(doc="Endings of photos' names.")
    unreadable = param.Dict(doc="Ending of a kind that cannot be read here -> what to do.")
    kinds = param.String(doc="Kinds that can be read here.")
    accept = param.String(doc="What the browser's chooser offers.")
    most_files = param.Integer(doc="Photos at a time.")
    most_bytes = param.Integer(doc="Bytes of a photo.")

    _esm = parts.script("photos")

    def __init__(
        self,
        score: Callable[[str, bytes], Coroutine[Any, Any, dict[str, Any]]],
        refused: Callable[[str, str], object],
        explain: Callable[[bytes], Coroutine[Any, Any, dict[str, Any]]],
        samples: dict[str, bytes],
        **params: Any,
    ) -> None:
        super().__init__(
            samples=[{"name": name, "src": parts.data_url(data, "image/jpeg")} for name, data in samples.items()],
            endings=list(kinds.endings()),
            unreadable={
                ending: f"{kind.name} photos cannot be read here: save it as JPEG, and send that"
                for kind in kinds.ALL_KINDS
                if kind not in kinds.kinds()
                for ending in kind.endings
            },
            kinds=kinds.names(),
            accept=",".join(["image/*", *(f".{ending}" for ending in kinds.endings())]),
            most_files=MOST_PHOTOS,
            most_bytes=MAX_FILE_BYTES,
            stylesheets=[parts.theme_css()],
            css_classes=["photos"],
            sizing_mode="stretch_width",
            margin=0,
            **params,
        )
        self._score, self._refused, self._explain, self._samples = score, refused, explain, samples
        self._explaining = False
        self._id = ""
        self._data = bytearray()

    def cleared(self) -> None:
        """Let the browser forget all photos and answers."""
        self._send_msg({"type": "cleared"})

    def _handle_msg(self, data: dict[str, Any]) -> None:
        """Take what the browser sends; any other client may send anything, which is dropped."""
        try:
            kind, name = data["type"], str(data["name"])
            if kind == "explain":
                if not self._explaining:  # one at a time, as the browser asks
                    self._explaining = True
                    pn.state.execute(partial(self._answer_why, bytes(data["data"])))
            elif kind == "refused":
                self._refused(name, str(data["error"]))
            elif kind == "sample":
                self._begin(str(data["id"]), name, self._samples[name])
            elif kind == "piece":
                self._take(str(data["id"]), name, bytes(data["data"]), bool(data["last"]))
        except (KeyError, TypeError, ValueError):
            _log.warning("a message of a browser was not understood")

    def _take(self, id_: str, name: str, piece: bytes, last: bool) -> None:
        if id_ != self._id:
            self._id, self._data = id_, bytearray()
        if len(self._data) <= MAX_FILE_BYTES:  # more is not kept; `score` says that it is too large
            self._data += piece
        if last:
            data, self._data = bytes(self._data), bytearray()
            self._begin(id_, name, data)

    def _begin(self, id_: str, name: str, data: bytes) -> None:
        pn.state.execute(partial(self._answer, id_, name, data))

    async def _answer_why(self, data: bytes) -> None:
        try:
            answer = await self._explain(data)
        except Exception:
            _log.exception("a map of a face failed")
            answer = {"error": "the map could not be made: try again"}  # the browser waits for an answer
        self._explaining = False  # before the answer, which the next question follows
        self._send_msg({"type": "explained", **answer})

    async def _answer(self, id_: str, name: str, data: bytes) -> None:
        self._send_msg({"type": "scored", "id": id_, **await self._score(name, data)})
