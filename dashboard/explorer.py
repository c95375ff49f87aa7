"""The explorer's pages by URL, for any server that can serve Panel apps.

Knows which pages there are and what they share; what each shows is its own module's. Call `configure` once, then
serve `APPS`.
"""

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui

from analysis.core.errors import UserError
from analysis.results import Results
from dashboard.chrome import ExplorerPage, Shared
from dashboard.pages import PAGES
from dashboard.scoring import Scorer
from model.predict import Predictor

# Panel serves the files of the components that are known when applications are added: load them before that.
pn.extension(inline=True)

_shared: list[Shared] = []


def configure(results: Results, predictor: Predictor | None = None, *, scorer: Scorer | None = None) -> None:
    """Say what all sessions show; a later call replaces an earlier one.

    Parameters
    ----------
    results
        The published run.
    predictor
        The loaded model; None where there is none, which the page that needs it then says.
    scorer
        Scores photos; by default one is made for ``predictor``.
    """
    _shared[:] = [Shared(results, scorer or _scorer(predictor))]


def _scorer(predictor: Predictor | None) -> Scorer:
    def load() -> Predictor:
        if predictor is None:
            raise UserError("no model is loaded: run `meanface train`, `meanface evaluate` and `meanface publish`")
        return predictor

    scorer = Scorer(load)
    scorer.load()
    return scorer


def _served(page: type[ExplorerPage]) -> Callable[[], pmui.Page]:
    def serve() -> pmui.Page:  # Panel takes functions only: a partial would be shown as text
        if not _shared:
            raise RuntimeError("call configure() before pages are served")
        return page.serve(_shared[0])

    return serve


APPS: dict[str, Callable[[], pmui.Page]] = {page.path: _served(page) for page in PAGES}
