"""Selecting and zooming on the map with keys; what it does in the browser is in map_keys.mjs."""

from collections.abc import Callable
from typing import Any

import panel as pn
import param

from dashboard import parts
from dashboard.pages.face_map import Box

_ACTS = ("select", "in", "out")


class MapKeys(pn.custom.JSComponent):
    """A place that the Tab key stops at, whose keys move a box on the map.

    Parameters
    ----------
    act
        Called with "select", "in" or "out" when a key asks for it, and with the box as it is then.
    """

    box = param.List(default=[], doc="Left, top, width and height as shares of what is in sight; empty for none.")

    _esm = parts.script("map_keys")

    def __init__(self, act: Callable[[str, Box], None]) -> None:
        super().__init__(
            stylesheets=[parts.theme_css()], css_classes=["map-keys"], sizing_mode="stretch_width", margin=0
        )
        self._act = act

    @property
    def shares(self) -> Box | None:
        """The box; None where there is none."""
        return _box(self.box)

    def _handle_msg(self, data: dict[str, Any]) -> None:
        if isinstance(data, dict) and (act := data.get("type")) in _ACTS and (box := _box(data.get("box"))):
            self._act(str(act), box)


def _box(given: Any) -> Box | None:
    """What a browser sent, which may be anything."""
    try:
        left, top, width, height = (min(1.0, max(0.0, float(each))) for each in given)
    except (TypeError, ValueError):
        return None
    return (left, top, width, height) if width > 0 and height > 0 else None
