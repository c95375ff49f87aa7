"""Sample faces for who has no photo at hand: the test faces of the shipped demo data set, composites of nobody.

Knows the demo archive; knows nothing of the model.
"""

import io
import random
import zipfile
from functools import cache
from pathlib import Path

from analysis import paths

ARCHIVE = paths.PROJECT / "analysis" / "demo-faces.zip"
_PART = "Dataset/Test/"


@cache
def sample_names(archive: Path = ARCHIVE) -> tuple[str, ...]:
    """Names of the test faces in the archive, sorted; empty where there is no archive."""
    if not archive.is_file():
        return ()
    with zipfile.ZipFile(archive) as opened:
        return tuple(sorted(name for name in opened.namelist() if name.startswith(_PART) and name.endswith(".jpg")))


def sample_face(archive: Path = ARCHIVE) -> tuple[str, bytes]:
    """Draw a test face.

    Returns
    -------
    tuple of str and bytes
        A file name that does not give the label away, and the encoded image.
    """
    drawn = random.choice(sample_names(archive))
    with zipfile.ZipFile(archive) as opened:
        return f"sample-{Path(drawn).name}", opened.read(drawn)


@cache
def sample_pack(archive: Path = ARCHIVE) -> bytes:
    """Pack the test faces into a zip of their own, a folder a label."""
    packed = io.BytesIO()
    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(packed, "w") as pack:
        for name in sample_names(archive):
            pack.writestr(zipfile.ZipInfo(name.removeprefix(_PART)), opened.read(name))
    return packed.getvalue()
