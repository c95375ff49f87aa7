"""The explorer's pages as applications, one for each address, for Panel to serve."""

import logging
from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard import parts
from dashboard.chrome import ExplorerPage, Shared, relative
from dashboard.pages import PAGES

# Panel serves the files of the components that are known when applications are added: load them before that.
pn.extension(inline=True)

_log = logging.getLogger(__name__)


def applications(shared: Shared) -> dict[str, Any]:
    """Make the application of every page: address -> function that makes the page for one session."""
    return {page.path: _application(page, shared) for page in PAGES}


def _application(page: type[ExplorerPage], shared: Shared) -> Callable[[], pmui.Page]:
    def serve() -> pmui.Page:  # Panel takes functions only: a partial would be shown as text
        try:
            return page.serve(shared)
        except Exception:  # Panel would show its visitor the stack trace
            _log.exception("a page of the explorer failed")
            message = "This page failed; the server's log says why. The other pages may work."
            return pmui.Page(
                title="meanface",
                site_url=relative("/explore", page.path),
                main=[parts.notice(message, severity="error")],
            )

    return serve
