"""Archives as people have them: written on Windows, as tar, in one another, with odd names, or no archive at all."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import stat
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from archives import photo, write_folder, write_tar, write_zip

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.data.sources import default_name, open_source, register

NAMES = ["faces/train/female/1.jpg", "faces/train/male/2.jpg", "faces/test/male/3.jpg"]
TABLE = {"list_attr_celeba.csv": "image_id,Male,Smiling\n000001.jpg,-1,1\n000002.jpg,1,1\n"}
NUMBERED = ["img_align_celeba/000001.jpg", "img_align_celeba/000002.jpg"]


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """All of these register something."""


def check(path: Path, names: list[str] | None = None) -> None:
    """Register an archive, and read each of its photos, here and as another process would."""
    register(path, "faces")
    source = open_source("faces")
    for store in (source, pickle.loads(pickle.dumps(source))):
        for number, name in enumerate(names or NAMES):
            assert store.read(name) == photo(number), name
    assert sorted(source.images["source_path"]) == sorted(names or NAMES)


def unpacked(name: str = "faces") -> list[Path]:
    return sorted((paths.data_folder(name) / "unpacked").glob("*"))


def test_a_zip_written_on_windows_is_read(tmp_path: Path) -> None:
    check(write_zip(tmp_path / "x.zip", [name.replace("/", "\\") for name in NAMES]))
    assert open_source("faces").images["split"].tolist() == ["test", "train", "train"]


def test_a_name_that_is_in_a_zip_twice_means_the_last_one(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = write_zip(tmp_path / "x.zip", ["old/" + NAMES[0], NAMES[0]])
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(NAMES[0], photo(7))
            archive.writestr("old/" + NAMES[1], photo(8))
    register(path, "faces")
    assert open_source("faces").read(NAMES[0]) == photo(7)
    assert len(open_source("faces").images) == 3


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_a_tar_archive_is_read(tmp_path: Path, ending: str) -> None:
    check(write_tar(tmp_path / f"x{ending}", NAMES))
    assert len(unpacked()) == (ending != ".tar")


@pytest.mark.parametrize("method", ["zstd", "lz4"])
def test_a_tar_archive_may_be_compressed_by_newer_methods(tmp_path: Path, method: str) -> None:
    plain = write_tar(tmp_path / "x.tar", NAMES).read_bytes()
    with pa.CompressedOutputStream(str(tmp_path / "y.tar.zst"), method) as file:
        file.write(plain)
    check(tmp_path / "y.tar.zst")


def test_an_archive_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    check(write_tar(tmp_path / "x.tar.gz", NAMES).rename(tmp_path / "x.zip"))
    check(write_zip(tmp_path / "y.zip", NAMES).rename(tmp_path / "y.tar"))
    check(write_tar(tmp_path / "z.tar", NAMES).rename(tmp_path / "z"))


def test_links_in_a_tar_archive_lead_to_their_photo(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", NAMES)
    with tarfile.open(path, "a") as archive:
        for name, kind, aim in [
            ("faces/test/female/4.jpg", tarfile.SYMTYPE, "../../train/female/1.jpg"),
            ("faces/test/female/5.jpg", tarfile.LNKTYPE, NAMES[0]),
            ("faces/test/female/6.jpg", tarfile.SYMTYPE, "/etc/passwd"),
            ("faces/test/female/pipe.jpg", tarfile.FIFOTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, aim
            archive.addfile(member)
    register(path, "faces")
    source = open_source("faces")
    assert source.read("faces/test/female/4.jpg") == source.read("faces/test/female/5.jpg") == photo(0)
    assert len(source.images) == 5
    assert source.notes == (
        "left out: 1 pipe, socket or device (faces/test/female/pipe.jpg)",
        "left out: 1 link to nowhere (faces/test/female/6.jpg)",
    )


def test_links_in_a_zip_lead_to_their_photo(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", NAMES)
    with zipfile.ZipFile(path, "a") as archive:
        for name, aim in {"faces/test/female/4.jpg": "../../train/female/1.jpg", "faces/test/male/9.jpg": "x"}.items():
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, aim)
    register(path, "faces")
    source = open_source("faces")
    assert source.read("faces/test/female/4.jpg") == photo(0)
    assert len(source.images) == 4
    assert source.notes == ("left out: 1 link to nowhere (faces/test/male/9.jpg)",)


@pytest.mark.parametrize("name", ["../../etc/1.jpg", "/abs/male/1.jpg", "C:/male/1.jpg", "a/../../male/1.jpg"])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_that_points_outside_itself_is_refused(tmp_path: Path, write, name: str) -> None:
    with pytest.raises(UserError, match="points outside"):
        register(write(tmp_path / "x.tar", [*NAMES, name]), "faces")


def test_an_archive_in_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", NAMES).read_bytes()
    outer = write_zip(tmp_path / "outer.zip", [], **{"readme.txt": "the faces", "download/inner.zip": inner})
    check(outer)
    (kept,) = unpacked()
    before = kept.stat().st_mtime_ns
    check(outer)
    assert unpacked()[0].stat().st_mtime_ns == before


@pytest.mark.parametrize("depth", [2, 3])
def test_archives_of_several_kinds_may_lie_in_one_another(tmp_path: Path, depth: int) -> None:
    data = write_tar(tmp_path / "0.tar.gz", NAMES).read_bytes()
    for level in range(1, depth):
        write = (write_zip, write_tar)[level % 2]
        data = write(
            tmp_path / f"{level}.zip", [], **{f"x{level}.tar.gz" if level == 1 else "y.zip": data}
        ).read_bytes()
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "z.zip").write_bytes(data)
    check(tmp_path / "outer")
    assert len(unpacked()) == 1


def test_celebas_own_archive_is_read_with_its_tables_beside_the_inner_zip(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "in.zip", NUMBERED).read_bytes()
    for folder, name, data in [("Img", "img_align_celeba.zip", inner), ("Anno", "list_attr_celeba.csv", b"")]:
        (tmp_path / "CelebA" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "CelebA" / folder / name).write_bytes(data or TABLE["list_attr_celeba.csv"].encode())
    register(tmp_path / "CelebA", "one")
    assert open_source("one").images["Smiling"].tolist() == [True, True]
    both = {"Img/img_align_celeba.zip": inner, "Anno/list_attr_celeba.csv": TABLE["list_attr_celeba.csv"]}
    register(write_zip(tmp_path / "CelebA.zip", [], **both), "two")
    assert open_source("two").images["label"].tolist() == ["female", "male"]
    register(write_tar(tmp_path / "CelebA.tar.gz", [], **both), "three")
    assert open_source("three").fingerprint == open_source("two").fingerprint == open_source("one").fingerprint


def test_what_was_unpacked_goes_with_the_source_that_it_belonged_to(tmp_path: Path) -> None:
    check(write_tar(tmp_path / "x.tar.gz", NAMES))
    (first,) = unpacked()
    check(write_tar(tmp_path / "y.tar.gz", NAMES[:2]), NAMES[:2])
    (second,) = unpacked()
    assert second != first
    with pytest.raises(UserError, match="no known layout"):
        register(write_tar(tmp_path / "z.tar.gz", ["a/1.jpg", "b/2.jpg"]), "faces")
    assert unpacked() == [second]
    check(write_zip(tmp_path / "x.zip", NAMES))
    assert not unpacked()
    with pytest.raises(UserError, match="no known layout"):
        register(tmp_path / "z.tar.gz", "other")
    assert not paths.data_folder("other").exists()


def test_what_was_unpacked_and_has_gone_is_fetched_again_by_the_name_that_was_given(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar.gz", NAMES)
    register(path, "faces")
    unpacked()[0].unlink()
    with pytest.raises(UserError, match=f"has lost .*run `meanface fetch {path} --name faces`"):
        open_source("faces")


def test_several_archives_of_images_are_refused_before_any_is_unpacked(tmp_path: Path) -> None:
    for name in ("train.tar.gz", "test.tar.gz"):
        write_tar(tmp_path / "both" / name, NAMES)
    with pytest.raises(UserError, match=r"several archives of images \(test.tar.gz, train.tar.gz\)"):
        register(tmp_path / "both", "faces")
    assert not paths.data_folder("faces").exists()


WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in &amp; continue\n - Kaggle</title></head><body></body></html>"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (WEB_PAGE, r"is a web page \(Sign in & continue - Kaggle\) and not the file itself: sign in"),
        ("\ufeff  <HTML><p>moved".encode("utf-16"), "is a web page and not the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "pointer of Git LFS.*`git lfs pull`"),
        (b"/annex/objects/SHA256E-s1--00.zip\n", "pointer of git-annex"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', r"is an XML answer \(AccessDenied\)"),
        (b'{"message": "404"}', "is a JSON answer"),
        (b"", "is empty"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), "is a 7z archive, which cannot be read: unpack it"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(20), "is a RAR archive"),
        (photo(), r"is a photo \(JPEG\): give a folder"),
        (b"PK\x03\x04 and no end", "is not a whole zip archive"),
        (b"anything else", "is not a zip archive .*: give a folder, or a zip or tar archive"),
        (gzip.compress(b"one file", mtime=0), "is compressed by gzip, but holds no tar archive"),
    ],
)
@pytest.mark.parametrize("name", ["faces.zip", "faces.tar"])
def test_what_is_no_archive_is_called_what_it_is(tmp_path: Path, content: bytes, says: str, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says) as error:
        register(tmp_path / name, "faces")
    assert "\n" not in str(error.value) and name in str(error.value)
    assert not paths.data_folder("faces").exists()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_compressed_archive_that_is_cut_short_is_called_that(tmp_path: Path, compress, share: float) -> None:
    data = compress(write_tar(tmp_path / "x.tar", NAMES).read_bytes())
    (tmp_path / "y.tar.gz").write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"is damaged or cut short|holds no tar archive"):
        register(tmp_path / "y.tar.gz", "faces")
    assert not paths.data_folder("faces").exists()


def test_a_tar_archive_that_is_cut_short_is_called_that(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", NAMES)
    whole = path.read_bytes()
    for size in (600, 1536, 1800, 2100):  # within a photo, between two, within a header, within the next photo
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="is not a whole tar archive"):
            register(path, "faces")
    path.write_bytes(whole[:1536] + b"?" * 512 + whole[2048:])
    with pytest.raises(UserError, match=r"is not a whole tar archive \(it breaks off after 1 files\)"):
        register(path, "faces")


def test_names_that_are_not_utf_8_are_read_by_the_name_that_they_are_written_as(tmp_path: Path) -> None:
    odd = os.fsdecode(b"male/b\xe9.jpg")
    write_folder(tmp_path / "faces", [odd, "female/\\xe9.jpg"])
    check(tmp_path / "faces", ["male/b\\xe9.jpg", "female/\\xe9.jpg"])
    tar = tmp_path / "x.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(tmp_path / "faces", "faces")
    check(tar, ["faces/male/b\\xe9.jpg", "faces/female/\\xe9.jpg"])
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(tmp_path / "faces", "faces")
    check(tar, ["faces/male/b\\xe9.jpg", "faces/female/\\xe9.jpg"])
    open_source("faces").images.to_parquet(tmp_path / "images.parquet")


def test_two_names_that_are_written_alike_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "faces", [os.fsdecode(b"male/\xe9.jpg"), "male/\\xe9.jpg", "female/1.jpg"])
    with pytest.raises(UserError, match="two files that are written"):
        register(tmp_path / "faces", "faces")


def test_a_table_may_list_names_that_are_not_utf_8(tmp_path: Path) -> None:
    write_folder(tmp_path / "faces", [os.fsdecode(b"b\xe9.jpg"), "b.jpg"])
    (tmp_path / "faces/labels.csv").write_bytes(b"file,label\nb\xe9.jpg,female\nb.jpg,male\n")
    check(tmp_path / "faces", ["b\\xe9.jpg", "b.jpg"])


def test_photos_without_an_ending_or_of_other_kinds_are_found(tmp_path: Path) -> None:
    names = ["male/1", "male/2.JFIF", "female/3.jpe", "female/4.data"]
    for path in (
        write_folder(tmp_path / "x", names),
        write_zip(tmp_path / "x.zip", names),
        write_tar(tmp_path / "x.tar", names),
    ):
        check(path, names)


def test_hidden_folders_are_left_out_of_archives_too(tmp_path: Path) -> None:
    hidden = ["@eaDir/male/4.jpg", "__MACOSX/faces/male/._1.jpg", "$RECYCLE.BIN/male/5.jpg", ".thumbnails/male/6.jpg"]
    for path in (write_folder(tmp_path / "x", [*NAMES, *hidden]), write_tar(tmp_path / "x.tar", [*NAMES, *hidden])):
        check(path)


def test_a_place_may_be_given_as_a_file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "my faces.zip", NAMES)
    for url in (f"file://{path}", f"file://localhost{path}", f"file://{path}".replace(" ", "%20"), f"local://{path}"):
        register(url, "faces")
        assert json.loads((paths.data_folder("faces") / "source.json").read_text())["images"] == str(path)
    monkeypatch.setenv("MEANFACE_DATA", f"file://{tmp_path}/new/folder")
    register(path, "faces")
    assert (tmp_path / "new/folder/faces/source.json").exists()


def test_data_may_go_to_any_place_that_fsspec_knows_even_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEANFACE_DATA", "memory://new/place")
    check(write_tar(tmp_path / "x.tar.gz", NAMES))
    assert str(paths.data_folder("faces")).startswith("memory://")


def test_an_archive_that_zipfile_cannot_unpack_is_refused_at_once(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", NAMES)
    data = bytearray(path.read_bytes())
    for start in (b"PK\x01\x02", b"PK\x03\x04"):
        at = data.find(start)
        while at >= 0:
            data[at + (10 if start == b"PK\x01\x02" else 8)] = 9  # Deflate64, which Windows uses for large files
            at = data.find(start, at + 1)
    path.write_bytes(data)
    with pytest.raises(UserError, match="is packed by Deflate64, which cannot be read: unpack it"):
        register(path, "faces")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("~/Men & Women.tar.gz", "Men-Women"),
        ("s3://bucket/faces.zip", "faces"),
        ("/data/faces/", "faces"),
        ("C:\\faces.v2.zip", "faces.v2"),
        ("x.zip.tgz", "x"),
    ],
)
def test_the_name_of_a_data_set_follows_from_its_place(source: str, name: str) -> None:
    assert default_name(source) == name


def test_a_bomb_of_nested_archives_ends(tmp_path: Path) -> None:
    data = write_zip(tmp_path / "0.zip", NAMES).read_bytes()
    for level in range(1, 6):
        data = write_zip(tmp_path / f"{level}.zip", [], **{"in.zip": data}).read_bytes()
    with pytest.raises(UserError, match="archives in archives, more than 3 deep"):
        register(tmp_path / "5.zip", "faces")
    assert not paths.data_folder("faces").exists()


def test_an_archive_in_an_archive_that_cannot_be_read_is_named_by_where_it_is(tmp_path: Path) -> None:
    data = write_zip(tmp_path / "x.zip", NAMES).read_bytes()
    for content, name, says in (
        (data[: len(data) // 2], "in.zip", r"out\.zip/in\.zip is not a whole zip archive"),
        (b"Rar!\x1a\x07", "in.rar", r"out\.zip holds no images \(it holds 'in\.rar'\)"),
    ):
        with pytest.raises(UserError, match=says):
            register(write_zip(tmp_path / "out.zip", [], **{name: content}), "faces")


def test_a_zip_whose_names_are_not_in_the_encoding_that_it_says_is_told_so(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", ["male/caf\u00e9.jpg", "female/b.jpg"])
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xfe"))
    with pytest.raises(UserError, match=r"names are UTF-8, which 'male/caf\\xff\\xfe\.jpg' is not: unpack it"):
        register(path, "faces")


def test_an_empty_path_and_a_home_that_nobody_has_are_told(tmp_path: Path) -> None:
    for place, says in (("", "a path is empty"), (" ", "a path is empty"), ("~nobody-is-called-so/x", "nothing is at")):
        with pytest.raises(UserError, match=says):
            register(place, "faces")


def test_a_stream_is_read_to_its_end_whatever_a_read_gives() -> None:
    from analysis.data.unpacking import _take

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 7))

    assert _take(Slow(bytes(100)), 64) == bytes(64)
    assert _take(Slow(bytes(10)), 64) == bytes(10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_what_is_no_file_is_refused(home: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is no file and no folder"):
        register(tmp_path / "pipe", "faces")
