"""How a figure is read, where the explorer shows it, and which function drew it: what goes beneath it on a page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

Call = ParamSpec("Call")
Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Guide:
    """What a reader may want to know of a figure besides its finding."""

    read: str
    """How to read it, in one or two sentences."""
    view: str | None
    """Where the explorer shows it, relative to ``/explore/``: "metrics?view=scores"; None if nowhere."""
    code: str
    """The function that drew it: ``module.function`` of ``analysis.figures``."""
    shows: str
    """What it shows: the first line of that function's description."""


def guided(read: str, *, view: str | None = None) -> Callable[[Callable[Call, Drawn]], Callable[Call, Drawn]]:
    """Give the figures that a function draws a guide.

    Parameters
    ----------
    read, view
        As in `Guide`.
    """

    def decorate(draw: Callable[Call, Drawn]) -> Callable[Call, Drawn]:
        code = f"{draw.__module__.rpartition('.')[2]}.{draw.__name__}"
        guide = Guide(read, view, code, (draw.__doc__ or "").strip().splitlines()[0])

        @wraps(draw)
        def drawn(*args: Call.args, **kwargs: Call.kwargs) -> Drawn:
            figure = draw(*args, **kwargs)
            figure.guide = guide  # type: ignore[attr-defined]  # HoloViews keeps what it does not know
            return figure

        drawn.guide = guide  # type: ignore[attr-defined]
        return drawn

    return decorate


def guide_of(figure: object) -> Guide | None:
    """Guide of a figure, or of a function that draws one; None if there is none."""
    return getattr(figure, "guide", None)
