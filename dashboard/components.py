"""The files of Panel's components: scripts and styles that pages of the explorer may load.

Panel's own route imports whatever module an address names before it checks anything. Here an address has to name a
component that this process has loaded already; everything else is not found.
"""

import sys
from pathlib import Path

from bokeh.model import Model
from fastapi import FastAPI
from fastapi.responses import FileResponse
from panel.io.resources import COMPONENT_PATH, ResourceComponent
from panel.io.server import ComponentResourceHandler
from panel.theme import Theme
from panel.viewable import Viewable
from starlette.exceptions import HTTPException

_ROUTE = f"/{COMPONENT_PATH.rstrip('/')}/{{path:path}}"
_COMPONENTS = (Viewable, ResourceComponent, Theme, Model)  # what Panel makes such addresses of


def guard(app: FastAPI) -> None:
    """Replace the route that Panel has added to an app."""
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) != _ROUTE]
    app.add_api_route(_ROUTE, _component_file, include_in_schema=False)


def _component_file(path: str) -> FileResponse:
    module, name, *_ = [*path.split("/"), ""]
    component = vars(sys.modules.get(module, object)).get(name)  # getattr could import: modules may load lazily
    if not (isinstance(component, type) and issubclass(component, _COMPONENTS)):
        raise HTTPException(404)
    try:
        # Reads nothing of the handler but the names of attributes that list files, which are the class's.
        file = Path(ComponentResourceHandler.parse_url_path(ComponentResourceHandler, path))  # type: ignore[arg-type]
    except Exception:  # what Panel stumbles over is no file of the component
        raise HTTPException(404) from None
    if not file.is_file():
        raise HTTPException(404)
    return FileResponse(file)
