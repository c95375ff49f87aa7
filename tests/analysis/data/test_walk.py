"""Folders are walked once and in order; what is hidden, linked twice or no photo is counted and named."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from analysis.data.kinds import has_photo_ending, kind_of, names
from analysis.data.walk import Walk, is_hidden


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20)).save(buffer, kind)
    return buffer.getvalue()


def walked(folder: Path) -> tuple[list[str], str]:
    walk = Walk()
    return [file.name for file in walk.photos(folder)], "; ".join(walk.left_out.lines())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def put(path: Path, data: bytes = b"\xff\xd8\xff") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_photos_are_met_in_order_of_their_names_by_ending_or_content(folder: Path) -> None:
    put(folder / "b" / "c.JPE", b"")
    put(folder / "b.jpeg", b"broken")
    put(folder / "a", encoded("PNG"))
    put(folder / "z.data", encoded("WEBP"))
    put(folder / "notes.txt", b"BMW is a car")
    found, left_out = walked(folder)
    assert found == ["a", "b/c.JPE", "b.jpeg", "z.data"]
    assert left_out == "1 file that is not a photo (notes.txt)"


@pytest.mark.parametrize(
    "hidden", [".thumbnails", "@eaDir", "__MACOSX", ".Trash-1000", "$RECYCLE.BIN", "#recycle", "Trash"]
)
def test_hidden_folders_are_left_out_wherever_they_are(folder: Path, hidden: str) -> None:
    put(folder / "a.jpg")
    put(folder / "b" / hidden / "c" / "a.jpg")
    found, left_out = walked(folder)
    assert found == ["a.jpg"]
    assert left_out == f"1 hidden folder (b/{hidden})"
    assert is_hidden(f"b/{hidden}/c/a.jpg")
    assert not is_hidden("b/a.jpg")


def test_folder_that_is_hidden_itself_is_walked_where_it_is_given(tmp_path: Path) -> None:
    put(tmp_path / ".hidden" / "a.jpg")
    assert walked(tmp_path / ".hidden")[0] == ["a.jpg"]


def test_links_are_followed_once_and_loops_noticed(folder: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "one.jpg").parent
    put(folder / "a" / "a.jpg")
    (outside / "same.jpg").symlink_to("one.jpg")
    (folder / "again").symlink_to(folder / "a")
    (folder / "loop").symlink_to(folder)
    (folder / "a" / "up").symlink_to(tmp_path)
    (folder / "self").symlink_to("self")
    (folder / "x1").symlink_to(outside)
    (folder / "x2").symlink_to(outside)
    (folder / "x3.jpg").symlink_to(outside / "one.jpg")
    (outside / "back").symlink_to(folder / "a")
    found, left_out = walked(folder)
    assert found == ["a/a.jpg", "x1/one.jpg"]
    assert "1 link that leads back up (a/up)" in left_out
    assert "1 link to nowhere (self)" in left_out
    assert "6 links to what is read anyway (such as again)" in left_out


def test_links_into_a_hidden_folder_are_photos(folder: Path) -> None:
    """As git-annex and other stores keep files."""
    put(folder / ".git" / "annex" / "1.jpg")
    (folder / "a.jpg").symlink_to(folder / ".git" / "annex" / "1.jpg")
    (folder / "b.jpg").symlink_to(folder / ".git" / "annex" / "1.jpg")
    assert walked(folder)[0] == ["a.jpg"]


def test_a_folder_that_is_given_twice_or_within_another_is_read_once(folder: Path) -> None:
    put(folder / "a" / "a.jpg")
    walk = Walk()
    assert [file.name for each in (folder / "a", folder, folder) for file in walk.photos(each)] == ["a.jpg"]
    assert sum(walk.left_out.counts.values()) == 2


def test_pipes_are_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    put(folder / "z.jpg")
    found, left_out = walked(folder)
    assert found == ["z.jpg"]
    assert left_out == "1 pipe, socket or device (pipe.jpg)"


def test_names_that_are_not_utf_8_or_not_printable_are_shown_escaped(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/b\xe9\n.txt")).write_bytes(b"text")
    (line,) = walked(folder)[1].splitlines()
    assert line == r"1 file that is not a photo (b\xe9\n.txt)"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_each_kind_is_known_by_its_first_bytes(kind: str) -> None:
    found = kind_of(encoded(kind))
    assert found is not None and found.format == kind


def test_kinds_that_are_not_installed_are_known_by_name() -> None:
    found = kind_of(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic")
    assert found is not None and found.name == "HEIC"
    assert has_photo_ending("a/IMG_1.HEIC") and not has_photo_ending("a.b/jpg")
    assert names().startswith("JPEG, PNG") and " or " in names()
