"""The page on how to call the API: its endpoints, a call to try, and examples in several languages.

Reads the routes from the API itself and the examples from the files of the report; what answers in the browser is in
calls.mjs.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import panel as pn
import param
from fastapi.routing import APIRoute, APIRouter

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.figures.reliability import reliability_reading, reliability_table
from dashboard import chrome, parts
from dashboard.admission import Admission
from dashboard.api import DESCRIPTION, router
from dashboard.gateway.telemetry import Metrics
from dashboard.pages.predict import samples
from dashboard.settings import Settings

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
    """Read the example files of a folder: title -> code, in the order of `_LANGUAGES`; empty where there are none."""
    files = [file for file in folder.glob("*") if file.suffix.lower() in _LANGUAGES] if folder.is_dir() else []
    by_title: dict[str, str] = {}
    for file in sorted(files, key=lambda file: (list(_LANGUAGES).index(file.suffix.lower()), file.name)):
        language = _LANGUAGES[file.suffix.lower()]
        title = f"{language}: {file.stem.replace('_', ' ')}" if language in by_title else language
        by_title[title] = file.read_text(encoding="utf-8").strip()
    return by_title


_OPERATORS = (
    "Whoever runs a server asks `/livez` whether to start it again, `/readyz` (or `/healthz`) whether to send requests "
    "to it, and `/metrics`, in Prometheus’ format, how many requests, photos and sessions there are, and how long they "
    "take."
)


class Calls(pn.custom.JSComponent):
    """A call to try, and examples."""

    examples = param.Dict(doc="Title -> code.")
    example = param.Integer(default=0, bounds=(0, None), doc="Number of the open example.")
    placeholder = param.String(doc="Address in the code for which that of this server is shown.")
    sample = param.String(doc="Data URL of a composite to send; empty where there is none.")

    _esm = parts.script("calls")


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

    def _calls(self) -> Any:
        try:
            sample = parts.data_url(samples()[0][1], "image/jpeg")
        except UserError:
            sample = ""
        calls = Calls(
            examples=examples(),
            example=self.example,
            placeholder=f"http://localhost:{Settings.model_fields['port'].default}",
            sample=sample,
            stylesheets=[parts.theme_css()],
            css_classes=["calls"],
            sizing_mode="stretch_width",
            margin=0,
        )
        calls.link(self, example="example", bidirectional=True)
        return calls

    def _reliability(self) -> list[Any]:
        results = self.shared.results
        if not results.has_reliability:
            return []
        found = results.reliability
        sentence, table = parts.text(reliability_reading(found)), parts.table(reliability_table(found))
        return [parts.section("What it withstands", sentence, table)]

    def content(self) -> list[Any]:
        """List what the API promises, a call to try, the endpoints and what the server withstood."""
        return [
            parts.text(DESCRIPTION),
            self._calls(),
            parts.section("Endpoints", self._endpoints(), parts.text(_OPERATORS)),
            *self._reliability(),
        ]
