"""Small archives of small photos, as people's programs write them."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def photo(seed: int = 0) -> bytes:
    """A JPEG of noise, another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG")
    return content.getvalue()


def write_zip(path: Path, names: list[str], **others: str | bytes) -> Path:
    """A zip of one photo for each name, and of other files by their content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, name in enumerate(names):
            archive.writestr(name, photo(number))
        for name, content in others.items():
            archive.writestr(name, content)
    return path


def write_folder(path: Path, names: list[str], **others: str | bytes) -> Path:
    """A folder of one photo for each name, and of other files by their content."""
    for number, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(photo(number))
    for name, content in others.items():
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_tar(path: Path, names: list[str], **others: str | bytes) -> Path:
    """A tar archive of one photo for each name, compressed as the ending of ``path`` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    method = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(path.suffix, "")
    with tarfile.open(path, f"w:{method}") as archive:
        for name, content in {**{name: photo(i) for i, name in enumerate(names)}, **others}.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
