"""A sign of work on the parts of a page that follow from its state; what it does in the browser is in busy.mjs."""

from functools import partial

import panel as pn
import param

from dashboard import parts


class Busy(pn.custom.JSComponent):
    """Marks what follows, the class "follows", as busy until the server has done what the browser told it of.

    The browser asks after it has told the server of an act, and the server answers in turn: after what the act began,
    whether that went well or not.
    """

    asked = param.Integer(0, doc="Number of the last question.")
    done = param.Integer(0, doc="Number of the last one that was answered.")

    _esm = parts.script("busy")

    def __init__(self) -> None:
        super().__init__(styles={"position": "absolute"}, width=0, height=0, margin=0)
        self.param.watch(self._answer, "asked")

    def _answer(self, event: param.parameterized.Event) -> None:
        parts.in_turn(partial(setattr, self, "done", event.new))
