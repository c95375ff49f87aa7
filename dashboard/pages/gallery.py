"""A gallery of a selection that asks for pictures as they come into sight, and one of them with all that is known.

What it does in the browser is in gallery.mjs.
"""

import asyncio
import logging
from functools import partial
from typing import Any

import numpy as np
import panel as pn
import param

from dashboard import parts
from dashboard.pages.portraits import Portraits

_AT_ONCE = 96  # pictures that a browser may ask for

_log = logging.getLogger(__name__)


class Gallery(pn.custom.JSComponent):
    """Pictures of a selection.

    Parameters
    ----------
    portraits
        Where they come from.
    **params
        ``one``, and what `panel.custom.JSComponent` takes.
    """

    total = param.Integer(0, doc="Number of pictures.")
    version = param.Integer(0, doc="Number of the selection; answers that are about another are dropped.")
    one = param.Integer(-1, doc="Number of the portrait that is open; -1 for none.")

    _esm = parts.script("gallery")

    def __init__(self, portraits: Portraits, **params: Any) -> None:
        super().__init__(
            stylesheets=[parts.theme_css()], css_classes=["gallery"], sizing_mode="stretch_width", margin=0, **params
        )
        self._portraits = portraits
        self._numbers = np.zeros(0, dtype=int)
        self._chosen = np.zeros(0, dtype=bool)

    def choose(self, chosen: np.ndarray, order: str) -> None:
        """Show a selection, bool (face,), in one of `dashboard.pages.portraits.ORDERS`."""
        self._chosen, self._numbers = chosen, self._portraits.numbers(chosen, order)
        self.param.update(total=len(self._numbers), version=self.version + 1)

    def _handle_msg(self, data: dict[str, Any]) -> None:
        """Answer what the browser asks for; any other client may ask for anything, which is dropped."""
        try:
            if data["type"] == "tiles" and int(data["version"]) == self.version:
                start = max(0, int(data["start"]))
                wanted = self._numbers[start : start + _AT_ONCE].tolist()
                self._answer({"type": "tiles", "version": self.version, "start": start}, wanted)
            elif data["type"] == "one" and 0 <= (number := int(data["number"])) < self._portraits.count:
                self._answer({"type": "one"}, number)
        except (KeyError, TypeError, ValueError):
            _log.warning("a message of a browser was not understood")

    def _answer(self, message: dict[str, Any], wanted: Any) -> None:
        pn.state.execute(partial(self._send, message, wanted, self._chosen))

    async def _send(self, message: dict[str, Any], wanted: Any, chosen: np.ndarray) -> None:
        if isinstance(wanted, list):
            tiles = await asyncio.to_thread(self._portraits.tiles, wanted, chosen)
            self._send_msg({**message, "tiles": tiles})
        else:
            told = await asyncio.to_thread(self._portraits.detail, wanted, chosen)
            near = told.pop("near")
            self._send_msg({**message, "told": told})
            tiles = await asyncio.to_thread(self._portraits.tiles, near, chosen)
            self._send_msg({"type": "near", "number": wanted, "tiles": tiles})
