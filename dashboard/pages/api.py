"""The page on how to call the API: its endpoints, and examples in several languages.

Knows the routes (from the API itself) and the example files of the report; types neither of them again.
"""

from html import escape
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param
from fastapi.routing import APIRoute

from analysis.core import paths
from dashboard import chrome
from dashboard.api import DESCRIPTION, router

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
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        if language := _LANGUAGES.get(file.suffix.lower()):
            title = f"{language}: {file.stem.replace('_', ' ')}" if language in found else language
            found[title] = file.read_text(encoding="utf-8").strip()
    return found


class ApiPage(chrome.ExplorerPage):
    """The API's endpoints and examples."""

    example = param.Integer(default=0, bounds=(0, None), doc="Number of the example that is open.")

    path = "/explore/api"
    title = "API"
    lead = (
        "The same model for programs. The [API's documentation](/api/docs) has every field and lets you try each call."
    )
    in_url = ("example",)

    def endpoints(self) -> list[tuple[str, str, str]]:
        """List the API's routes: method, path and what it answers."""
        routes = [route for route in router(self.shared.scorer).routes if isinstance(route, APIRoute)]
        return [(min(route.methods or ()), route.path, route.summary or "") for route in routes]

    def _endpoints(self) -> Any:
        rows = "".join(
            f"<tr><td>{method}</td><td><code>{escape(path)}</code></td><td>{escape(summary)}</td></tr>"
            for method, path, summary in self.endpoints()
        )
        return chrome.table(
            '<thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">Answer</th></tr></thead>'
            f"<tbody>{rows}</tbody>"
        )

    def _examples(self) -> Any:
        found = examples()
        if not found:
            return chrome.notice("This installation has no examples; the API's documentation lets you try each call.")
        tabs = pmui.Tabs(
            *((title, _code(code)) for title, code in found.items()),
            active=min(self.example, len(found) - 1),
            sizing_mode="stretch_width",
            margin=0,
        )
        tabs.link(self, active="example", bidirectional=True)
        return tabs

    def content(self) -> list[Any]:
        """Give what the API promises, its endpoints and the examples."""
        return [
            chrome.text(DESCRIPTION),
            chrome.section("Endpoints", self._endpoints()),
            chrome.section("Examples", self._examples()),
        ]


def _code(code: str) -> pn.pane.HTML:
    return pn.pane.HTML(
        f'<pre tabindex="0"><code>{escape(code)}</code></pre>',
        stylesheets=[chrome.TEXT_CSS],
        sizing_mode="stretch_width",
        margin=(14, 0, 0, 0),
    )
