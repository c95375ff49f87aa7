"""The page on how to call the API: its endpoints, and examples in several languages.

Reads the routes from the API itself and the examples from the files of the report.
"""

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param
from fastapi.routing import APIRoute, APIRouter

from analysis.core import paths
from dashboard import chrome, parts
from dashboard.admission import Admission
from dashboard.api import DESCRIPTION, router
from dashboard.gateway.telemetry import Metrics

EXAMPLES = paths.PROJECT / "site" / "examples"
_LANGUAGES = {
    ".sh": "curl",
    ".py": "Python",
    ".js": "JavaScript",
    ".mjs": "JavaScript",
    ".ts": "TypeScript",
    ".r": "R",
}


def examples(folder: Path = EXAMPLES) -> dict[str, str]:
    """Read the example files of a folder: title -> code, sorted by file name; empty where there are none."""
    by_title: dict[str, str] = {}
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        if language := _LANGUAGES.get(file.suffix.lower()):
            title = f"{language}: {file.stem.replace('_', ' ')}" if language in by_title else language
            by_title[title] = file.read_text(encoding="utf-8").strip()
    return by_title


class ApiPage(chrome.ExplorerPage):
    """The API's endpoints and examples."""

    example = param.Integer(default=0, bounds=(0, None), doc="Number of the open example.")

    path = "/explore/api"
    title = "API"
    lead = "The same model for programs. The [documentation](../api/docs) has every field and lets you try each call."
    in_url = ("example",)

    def endpoints(self) -> list[tuple[str, str, str]]:
        """List the API's routes: method, path and what it returns."""
        routes = [route for route in self._router().routes if isinstance(route, APIRoute)]
        return [(min(route.methods or ()), route.path, route.summary or "") for route in routes]

    def _router(self) -> APIRouter:
        return router(self.shared.scorer, Admission(self.shared.settings, Metrics()))  # to be read, not called

    def _endpoints(self) -> Any:
        return parts.table(pd.DataFrame(self.endpoints(), columns=["Method", "Path", "Returns"]).set_index("Path"))

    def _examples(self) -> Any:
        code = examples()
        if not code:
            return parts.notice("This installation has no examples; the API's documentation lets you try each call.")
        tabs = pmui.Tabs(
            *((language, _code(example)) for language, example in code.items()),
            active=min(self.example, len(code) - 1),
            sizing_mode="stretch_width",
            margin=0,
        )
        tabs.link(self, active="example", bidirectional=True)
        return tabs

    def content(self) -> list[Any]:
        """List what the API promises, its endpoints and the examples."""
        return [
            parts.text(DESCRIPTION),
            parts.section("Endpoints", self._endpoints()),
            parts.section("Examples", self._examples()),
        ]


def _code(code: str) -> pn.pane.HTML:
    return parts.html(f'<pre tabindex="0"><code>{escape(code)}</code></pre>', "code")
