"""Where images come from: layouts, metadata tables, and what is said of those that do not fit."""

import json
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from archives import photo, write_folder, write_zip

from analysis.core import paths
from analysis.core.errors import UserError
from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.data import sources
from analysis.data.sources import open_source, register

HEADER = "image_id,5_o_Clock_Shadow,Male,Smiling"
ATTRIBUTES = f"{HEADER}\n000001.jpg,-1,-1,1\n000002.jpg,1,1,-1\n000003.jpg,-1,-1,-1\n000009.jpg,1,1,1\n"
PARTITION = "image_id,partition\n000001.jpg,2\n000002.jpg,1\n000003.jpg,0\n"
IDENTITY = "000001.jpg 17\n000002.jpg 4\n000003.jpg 17\n"
KAGGLE = ["Dataset/Train/Female/000001.jpg", "Dataset/Test/Male/000002.jpg", "Dataset/Validation/Female/000003.jpg"]
UTKFACE = ["UTKFace/26_0_2_20170116184024662.jpg.chip.jpg", "UTKFace/1_1_4_20161219140623097.jpg"]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path / "home"))


def write_tables(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "list_attr_celeba.csv").write_text(ATTRIBUTES)
    (folder / "list_eval_partition.csv").write_text(PARTITION)
    (folder / "identity_CelebA.txt").write_text(IDENTITY)


def test_the_attributes_are_celebas_without_male() -> None:
    assert len(CELEBA_ATTRIBUTES) == len(set(CELEBA_ATTRIBUTES)) == 39
    assert "Male" not in CELEBA_ATTRIBUTES
    assert (CELEBA_ATTRIBUTES[0], CELEBA_ATTRIBUTES[-1]) == ("5_o_Clock_Shadow", "Young")


@pytest.mark.parametrize("prefix", ["", "some/folder/"])
@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_the_kaggle_layout_gives_label_and_split(tmp_path: Path, write, prefix: str) -> None:
    path = write(tmp_path / "faces.zip", [prefix + name for name in KAGGLE])
    register(path, "faces")
    source = open_source("faces")
    assert (source.kind, source.aligned, source.metadata, source.notes) == ("kaggle", True, None, ())
    images = source.images
    assert list(images["source_path"]) == sorted(prefix + name for name in KAGGLE)
    assert list(images["image_id"]) == ["000002.jpg", "000001.jpg", "000003.jpg"]
    assert list(images["label"]) == ["male", "female", "female"]
    assert list(images["split"]) == ["test", "train", "validation"]
    assert images[["identity", "age", "race"]].isna().all(axis=None)
    assert source.read(images["source_path"][1]) == photo(0)
    assert list(images["bytes"]) == [len(source.read(each)) for each in images["source_path"]]


def test_the_dataset_folder_itself_may_be_given(tmp_path: Path) -> None:
    write_folder(tmp_path, KAGGLE)
    register(tmp_path / "Dataset", "faces")
    assert len(open_source("faces").images) == 3


def test_nothing_is_copied(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    note = register(path, "faces")
    assert [each.name for each in note.parent.iterdir()] == ["source.json"]
    facts = json.loads(note.read_text())
    assert facts.pop("fingerprint") == open_source("faces").fingerprint
    assert facts == {"images": str(path), "metadata": [], "kind": "kaggle"}


@pytest.mark.parametrize("where", ["beside", "beside in a zip", "given", "given folder", "inside", "inside a folder"])
def test_metadata_is_found(tmp_path: Path, where: str) -> None:
    tables = {"list_attr_celeba.csv": ATTRIBUTES, "list_eval_partition.csv": PARTITION, "identity_CelebA.txt": IDENTITY}
    given: list[Path] = []
    if where == "inside":
        path = write_zip(tmp_path / "faces.zip", KAGGLE, **tables)
    elif where == "inside a folder":
        path = write_folder(tmp_path / "faces", KAGGLE)
        write_tables(path)
    else:
        path = write_zip(tmp_path / "faces.zip", KAGGLE)
        write_tables(tmp_path if where == "beside" else tmp_path / "tables")
        if where == "beside in a zip":
            write_zip(tmp_path / "celeba-metadata.zip", [], **tables)
        if where == "given":
            given = sorted((tmp_path / "tables").iterdir())
        if where == "given folder":
            given = [tmp_path / "tables"]
    register(path, "faces", given)
    source = open_source("faces")
    images = source.images.set_index("image_id")
    assert images["identity"].to_dict() == {"000001.jpg": 17, "000002.jpg": 4, "000003.jpg": 17}
    assert images["Smiling"].to_dict() == {"000001.jpg": True, "000002.jpg": False, "000003.jpg": False}
    assert images["split"]["000001.jpg"] == "train", "the archive's own split wins"
    assert images["Smiling"].dtype == images["5_o_Clock_Shadow"].dtype == "boolean"
    assert source.metadata is not None
    assert list(source.metadata) == ["image_id", "label", "5_o_Clock_Shadow", "Smiling", "identity", "split"]
    assert list(source.metadata["label"]) == ["female", "male", "female", "male"]
    assert list(source.metadata["split"][:3]) == ["test", "validation", "train"]
    assert source.metadata[["identity", "split"]].loc[3].isna().all()


def test_celebas_original_text_tables_are_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    (tmp_path / "list_attr_celeba.txt").write_text(
        "3\r\n5_o_Clock_Shadow Male Smiling \r\n000001.jpg -1 -1  1\r\n000002.jpg  1  1 -1\r\n000003.jpg -1 -1 -1\r\n"
    )
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 2\n000002.jpg 1\n000003.jpg 0\n")
    register(path, "faces")
    source = open_source("faces")
    assert source.metadata is not None
    assert list(source.metadata["label"]) == ["female", "male", "female"]
    assert list(source.metadata["split"]) == ["test", "validation", "train"]
    assert source.images.set_index("image_id")["Smiling"]["000001.jpg"]


def test_aligned_celeba_takes_label_and_split_from_the_tables(tmp_path: Path) -> None:
    names = [f"img_align_celeba/img_align_celeba/00000{number}.jpg" for number in (1, 2, 3, 7)]
    tables = {"list_attr_celeba.csv": ATTRIBUTES, "list_eval_partition.csv": PARTITION}
    register(write_zip(tmp_path / "celeba.zip", names, **tables), "celeba")
    source = open_source("celeba")
    assert (source.kind, source.aligned) == ("celeba", True)
    assert list(source.images["label"]) == ["female", "male", "female"]
    assert list(source.images["split"]) == ["test", "validation", "train"]
    assert source.notes == ("1 image kept out: the attribute file has no row for it",)


def test_aligned_celeba_without_its_attribute_file_is_refused(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "img_align_celeba", ["000001.jpg"])
    with pytest.raises(UserError, match=r"put list_attr_celeba\.csv beside it"):
        register(path, "celeba")


def test_utkface_codes_are_the_other_way_round_than_celebas(tmp_path: Path) -> None:
    register(write_zip(tmp_path / "utkface.zip", UTKFACE), "utkface")
    source = open_source("utkface")
    assert (source.kind, source.aligned, source.metadata) == ("utkface", False, None)
    assert source.images[["label", "age", "race"]].to_numpy().tolist() == [
        ["female", 1, "Other"],
        ["male", 26, "Asian"],
    ]
    assert source.images["split"].isna().all()


def test_malformed_utkface_names_are_kept_out_and_counted(tmp_path: Path) -> None:
    bad = [
        "61_1_20170109142408075.jpg",
        "0_0_0_20170109142408075.jpg",
        "117_0_0_20170109142408075.jpg",
        "9_2_0_2017.jpg",
    ]
    register(write_folder(tmp_path / "utkface", [*UTKFACE, *bad]), "utkface")
    source = open_source("utkface")
    assert len(source.images) == 2
    assert source.notes[0].startswith("4 images kept out")


def test_metadata_beside_utkface_is_not_its_own(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "utkface.zip", UTKFACE)
    write_tables(tmp_path)
    register(path, "utkface")
    assert open_source("utkface").metadata is None
    with pytest.raises(UserError, match="omit --metadata"):
        register(path, "utkface", [tmp_path / "list_attr_celeba.csv"])


def test_a_folder_that_contradicts_the_attribute_file_wins_and_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_zip(tmp_path / "faces.zip", ["Dataset/Train/Male/000001.jpg", *KAGGLE[1:]])
    write_tables(tmp_path)
    register(path, "faces")
    source = open_source("faces")
    assert source.images.set_index("image_id")["label"]["000001.jpg"] == "male"
    assert "1 image lies in a folder that contradicts the attribute file" in source.notes[0]
    assert "contradicts" in caplog.text


def test_images_without_a_row_have_unknown_attributes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", [*KAGGLE, "Dataset/Train/Male/000005.jpg"])
    write_tables(tmp_path)
    register(path, "faces")
    source = open_source("faces")
    row = source.images.set_index("image_id").loc["000005.jpg"]
    assert row["label"] == "male"
    assert row[["Smiling", "identity"]].isna().all()
    assert source.notes == ("1 image has no row in the attribute file",)


def test_hidden_files_and_other_endings_are_passed_over(tmp_path: Path) -> None:
    names = [*KAGGLE, "__MACOSX/Dataset/Train/Male/._000004.jpg", "Dataset/Train/Male/.hidden.jpg"]
    others = ["Dataset/Test/Male/000006.JPG", "Dataset/Test/Male/000007.webp", "Dataset/Test/Male/readme.txt"]
    register(write_zip(tmp_path / "faces.zip", names + others), "faces")
    source = open_source("faces")
    assert sorted(source.images["image_id"]) == [
        "000001.jpg",
        "000002.jpg",
        "000003.jpg",
        "000006.JPG",
        "000007.webp",
    ]
    assert source.notes == (
        "left out: 2 hidden files (such as __MACOSX/Dataset/Train/Male/._000004.jpg)",
        "left out: 1 file that is not a photo (Dataset/Test/Male/readme.txt)",
    )


def test_file_names_that_occur_twice_become_whole_paths(tmp_path: Path) -> None:
    register(write_zip(tmp_path / "faces.zip", ["Train/Male/1.jpg", "Train/Female/1.jpg", "Train/Male/2.jpg"]), "faces")
    source = open_source("faces")
    assert list(source.images["image_id"]) == ["Train/Female/1.jpg", "Train/Male/1.jpg", "2.jpg"]
    assert "share their file name" in source.notes[0]


def test_a_folder_that_holds_the_archive_will_do(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "download" / "faces.zip", KAGGLE)
    write_zip(tmp_path / "download" / "celeba-metadata.zip", [], **{"list_attr_celeba.csv": ATTRIBUTES})
    note = register(path.parent, "faces")
    assert json.loads(note.read_text())["images"] == str(path)
    assert "Smiling" in open_source("faces").images


def test_a_folder_of_several_archives_is_refused(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        write_zip(tmp_path / "download" / name, KAGGLE)
    with pytest.raises(UserError, match=r"several archives of images \(one.zip, two.zip\)|\(two.zip, one.zip\)"):
        register(tmp_path / "download", "faces")


@pytest.mark.parametrize("name", ["../../Dataset/Train/Male/000001.jpg", "/Dataset/Train/Male/000001.jpg"])
def test_an_archive_that_points_outside_itself_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="points outside"):
        register(write_zip(tmp_path / "faces.zip", [*KAGGLE, name]), "faces")


def test_a_path_with_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is at"):
        register(tmp_path / "nowhere.zip", "faces")
    with pytest.raises(UserError, match="nothing is at"):
        register(write_zip(tmp_path / "faces.zip", KAGGLE), "faces", [tmp_path / "list_attr_celeba.csv"])


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="not a whole zip archive"):
        register(path, "faces")
    assert not paths.data_folder("faces").exists()


def test_an_unknown_layout_is_refused_and_the_known_ones_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"no known layout.*1 images in its top folder.*holiday\.jpg.*male and female.*AGE_GENDER_RACE_DATE",
    ):
        register(write_folder(tmp_path / "photos", ["holiday.jpg"]), "photos")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no images.*: expected"):
        register(tmp_path / "empty", "empty")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "with space"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    with pytest.raises(UserError, match="is not a valid name"):
        register(path, name)
    with pytest.raises(UserError, match="is not a valid name"):
        open_source(name)


@pytest.mark.parametrize(
    ("table", "content", "says"),
    [
        ("list_attr_celeba.csv", "image_id,Smiling\n000001.jpg,1\n", "lacks image_id or Male"),
        ("list_attr_celeba.csv", f"{HEADER}\n000001.jpg,1,1\n", "cannot be read"),
        ("list_attr_celeba.csv", f"{HEADER}\n000001.jpg,1,yes,1\n", "other than whole numbers"),
        ("list_attr_celeba.csv", f"{HEADER}\n000001.jpg,1,7,1\n", "codes other than 1 and -1"),
        ("list_attr_celeba.csv", ATTRIBUTES + "000001.jpg,1,1,1\n", "lists an image twice"),
        ("list_attr_celeba.csv", "", "is empty"),
        ("list_attr_celeba.txt", "not CelebA's", "lacks image_id or Male .*2 columns, separated by spaces"),
        ("list_eval_partition.csv", "image_id,partition\n000001.jpg,3\n", "codes other than 0, 1 and 2"),
        ("identity_CelebA.txt", "000001.jpg somebody\n", "other than whole numbers"),
        ("identity_CelebA.txt", "000001.jpg,1,2\n", "one other column .*3 columns, separated by commas"),
        ("identity_CelebA.csv", "image_id,identity\n", "has no rows"),
    ],
)
def test_malformed_metadata_is_refused_and_named(tmp_path: Path, table: str, content: str, says: str) -> None:
    celeba = table.startswith("list_eval")
    path = write_folder(tmp_path / "faces", ["img_align_celeba/000001.jpg"] if celeba else KAGGLE)
    write_tables(tmp_path / "good")
    (tmp_path / table).write_text(content)
    given = [tmp_path / table, *([tmp_path / "good" / "list_attr_celeba.csv"] if celeba else [])]
    with pytest.raises(UserError, match=says) as error:
        register(path, "faces", given)
    assert table in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_metadata_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    (tmp_path / "notes.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="is not one of CelebA's tables"):
        register(path, "faces", [tmp_path / "notes.csv"])


def test_a_missing_data_set_says_how_to_fetch_it() -> None:
    with pytest.raises(UserError, match="`meanface fetch demo`"):
        open_source("demo")
    with pytest.raises(UserError, match="`meanface fetch PATH --name mine`"):
        open_source("mine")


def test_images_or_metadata_that_have_gone_are_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    write_tables(tmp_path)
    register(path, "faces")
    (tmp_path / "identity_CelebA.txt").unlink()
    with pytest.raises(UserError, match=r"has lost .*identity_CelebA\.txt"):
        open_source("faces")
    path.unlink()
    with pytest.raises(UserError, match=r"has lost .*faces\.zip"):
        open_source("faces")


def test_a_damaged_note_is_refused(tmp_path: Path) -> None:
    register(write_zip(tmp_path / "faces.zip", KAGGLE), "faces").write_text("{")
    with pytest.raises(UserError, match=r"source\.json is damaged"):
        open_source("faces")


def test_the_fingerprint_changes_with_images_and_metadata_only(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "faces", KAGGLE)
    register(path, "faces")
    first = open_source("faces").fingerprint
    assert open_source("faces").fingerprint == first
    os.utime(path / KAGGLE[0], ns=(1, 1))
    second = open_source("faces").fingerprint
    assert second != first
    write_tables(tmp_path)
    register(path, "faces")
    third = open_source("faces").fingerprint
    assert third != second
    (tmp_path / "list_attr_celeba.csv").write_text(ATTRIBUTES.replace("-1,-1,1", "1,-1,1"))
    assert open_source("faces").fingerprint != third


def test_a_copied_archive_keeps_its_fingerprint(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    register(path, "one")
    (tmp_path / "elsewhere").mkdir()
    register(path.rename(tmp_path / "elsewhere" / "copy.zip"), "two")
    with pytest.raises(UserError, match="has lost"):
        open_source("one")
    register(tmp_path / "elsewhere" / "copy.zip", "one")
    assert open_source("one").fingerprint == open_source("two").fingerprint


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_many_threads_and_other_processes_may_read(tmp_path: Path, write) -> None:
    names = [f"Train/Male/{number:06}.jpg" for number in range(60)]
    register(write(tmp_path / "faces", names), "faces")
    source = open_source("faces")
    for each in (source, pickle.loads(pickle.dumps(source))):
        with ThreadPoolExecutor(8) as pool:
            contents = list(pool.map(each.read, names * 5))
        assert contents == [photo(number) for number in range(60)] * 5


def test_a_damaged_image_or_a_missing_one_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    content = bytearray(path.read_bytes())
    begin = content.index(KAGGLE[0].encode()) + len(KAGGLE[0])
    content[begin + 40 : begin + 60] = b"\0" * 20
    path.write_bytes(content)
    register(path, "faces")
    source = open_source("faces")
    with pytest.raises(OSError, match="is damaged"):
        source.read(KAGGLE[0])
    assert source.read(KAGGLE[1]) == photo(1)
    with pytest.raises(KeyError):
        source.read("Dataset/Train/Male/999999.jpg")


def test_the_tables_fit_parquet(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "faces.zip", KAGGLE)
    write_tables(tmp_path)
    register(path, "faces")
    source = open_source("faces")
    source.images.to_parquet(tmp_path / "images.parquet")
    again = pd.read_parquet(tmp_path / "images.parquet")
    pd.testing.assert_frame_equal(again, source.images)


def test_a_missing_demo_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources.paths, "PACKAGES", tmp_path)
    with pytest.raises(UserError, match=r"demo-faces\.zip is missing"):
        sources.demo_source()


def test_the_shipped_demo_faces_open_with_all_their_metadata() -> None:
    register(sources.demo_source(), "demo")
    source = open_source("demo")
    assert source.notes == ()
    assert set(CELEBA_ATTRIBUTES) <= set(source.images)
    assert source.images[["identity", "split", *CELEBA_ATTRIBUTES]].notna().all(axis=None)
    assert set(zip(source.images["label"], source.images["split"], strict=True)) == {
        (label, split) for label in ("female", "male") for split in ("train", "validation", "test")
    }
