"""Copy BokehJS out of the installed bokeh package into the site's assets, so that figures work without a network.

Quarto and the embedded renderer run it before they render, with the project as working directory.
"""

import os
import shutil
from pathlib import Path

import bokeh

SOURCE = Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"
TARGET = Path(os.environ.get("QUARTO_PROJECT_DIR", ".")) / "site" / "assets" / "bokeh" / SOURCE.name

if not TARGET.exists() or TARGET.read_bytes() != SOURCE.read_bytes():
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE, TARGET)
