from . import api, pages, parts, problems
from .chrome import ExplorerPage, Shared
from .scoring import NotReadyError, Scorer
from .server import create_app
from .settings import Settings
from .uploads import Upload, read_uploads

__all__ = [
    "ExplorerPage",
    "NotReadyError",
    "Scorer",
    "Settings",
    "Shared",
    "Upload",
    "api",
    "create_app",
    "pages",
    "parts",
    "problems",
    "read_uploads",
]
