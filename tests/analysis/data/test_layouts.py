"""Layouts by the names of folders and files: what is understood, and what is refused for being nearly right."""

import itertools
from pathlib import Path

import pytest
from archives import write_folder, write_zip

from analysis.core.errors import UserError
from analysis.data.sources import Source, open_source, register

SPLITS = {
    "train": "train",
    "Training": "train",
    "val": "validation",
    "VALID": "validation",
    "validation": "validation",
    "dev": "validation",
    "Test": "test",
}
LABELS = [
    ("female", "male"),
    ("Females", "Males"),
    ("WOMAN", "MAN"),
    ("women", "men"),
    ("f", "m"),
    ("F", "M"),
]


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """All of these register something."""


def fetched(path: Path) -> Source:
    register(path, "faces")
    return open_source("faces")


@pytest.mark.parametrize(("women", "men"), LABELS)
@pytest.mark.parametrize("above", ["", "faces/", "A/b c/d/"])
def test_label_folders_alone_give_labels_and_no_split(tmp_path: Path, women: str, men: str, above: str) -> None:
    names = [f"{above}{women}/a.jpg", f"{above}{women}/b.jpg", f"{above}{men}/c.jpg"]
    source = fetched(write_zip(tmp_path / "faces.zip", names))
    assert (source.kind, source.aligned, source.notes) == ("folders", False, ())
    assert source.images.set_index("image_id")["label"].to_dict() == {
        "a.jpg": "female",
        "b.jpg": "female",
        "c.jpg": "male",
    }
    assert source.images["split"].isna().all()


@pytest.mark.parametrize(("women", "men"), LABELS)
@pytest.mark.parametrize("order", ["{above}{split}/{label}", "{above}{label}/{split}", "{above}{split}/faces/{label}"])
def test_split_folders_above_or_within_label_folders_give_both(
    tmp_path: Path, women: str, men: str, order: str
) -> None:
    names, expected = [], {}
    for number, (split, label) in enumerate(itertools.product(SPLITS, (women, men))):
        names.append(order.format(above="data/x/", split=split, label=label) + f"/{number}.png")
        expected[f"{number}.png"] = [SPLITS[split], "female" if label == women else "male"]
    source = fetched(write_folder(tmp_path / "faces", names))
    assert source.images.set_index("image_id")[["split", "label"]].T.to_dict("list") == expected
    assert source.notes == ()


def test_folders_of_people_within_label_folders_change_nothing(tmp_path: Path) -> None:
    names = ["train/female/ann/1.jpg", "train/male/bob/x/2.jpg", "val/male/bob/3.jpg"]
    images = fetched(write_zip(tmp_path / "faces.zip", names)).images
    assert images["label"].tolist() == ["female", "male", "male"]
    assert images["split"].tolist() == ["train", "train", "validation"]


def test_a_folder_that_happens_to_be_called_test_is_no_split(tmp_path: Path) -> None:
    names = ["test/faces/male/1.jpg", "test/faces/female/2.jpg"]
    assert fetched(write_zip(tmp_path / "faces.zip", names)).images["split"].isna().all()
    names = ["test/train/male/1.jpg", "test/val/female/2.jpg"]
    assert fetched(write_zip(tmp_path / "more.zip", names)).images["split"].tolist() == ["train", "validation"]


def test_single_letters_are_labels_only_where_there_are_no_other_letters(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no known layout"):
        fetched(write_zip(tmp_path / "faces.zip", [f"{letter}/{letter}.jpg" for letter in "abcdefghijklm"]))


def test_celebas_names_in_folders_of_splits_are_in_celebas_frame(tmp_path: Path) -> None:
    names = ["Train/Men/000001.jpg", "val/Women/000002.jpg"]
    source = fetched(write_zip(tmp_path / "faces.zip", names))
    assert (source.kind, source.aligned) == ("kaggle", True)


def test_celebas_images_keep_the_splits_of_their_folders(tmp_path: Path) -> None:
    names = ["celeba/train/000001.jpg", "celeba/test/000002.jpg"]
    tables = {"list_attr_celeba.csv": "image_id,Male\n000001.jpg,1\n000002.jpg,-1\n"}
    tables["list_eval_partition.csv"] = "image_id,partition\n000001.jpg,2\n000002.jpg,1\n"
    source = fetched(write_zip(tmp_path / "faces.zip", names, **tables))
    assert source.kind == "celeba"
    assert source.images.set_index("image_id")["split"].to_dict() == {"000001.jpg": "train", "000002.jpg": "test"}


def test_what_lies_beside_both_labels_is_kept_out_and_named(tmp_path: Path) -> None:
    source = fetched(write_zip(tmp_path / "faces.zip", ["male/1.jpg", "female/2.jpg", "unsure/3.jpg", "cover.png"]))
    assert len(source.images) == 2
    assert source.notes == ("2 images kept out: their paths do not follow the layout (such as 'cover.png')",)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["train/male/1.jpg", "train/femle/2.jpg"], "the folder 'femle' .1 images. beside 'male'"),
        (["Men/1.jpg", "Wemen/2.jpg", "Wemen/3.jpg"], "the folder 'Wemen' .2 images. beside 'Men'"),
        (["male/1.jpg", "other/2.jpg"], "the folder 'other' .1 images. beside 'male'"),
        (["train/male/1.jpg", "train/female/2.jpg", "holdout/male/3.jpg"], "in splits .train., but 1 in none"),
        (["male/1.jpg", "female/2.jpg", "test/male/3.jpg"], "in splits .test., but 2 in none"),
        (["men/female/1.jpg", "men/2.jpg"], "both labels within each other"),
        (["26_female_2_20170116184024662.jpg"], "no known layout: it holds 1 images in its top folder"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], "2 images in a, 1 in b, such as 'a/1.jpg'"),
        (["1.jpg", *(f"{i}/x.jpg" for i in range(9))], "and 6 other folders"),
    ],
)
def test_a_near_miss_is_refused_with_what_was_seen_and_what_is_expected(
    tmp_path: Path, names: list[str], says: str
) -> None:
    with pytest.raises(UserError, match=f"{says}.*(expected folders male and female|give all a split)") as error:
        fetched(write_folder(tmp_path / "faces", names))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "names",
    [
        ["Train/Femle/000001.jpg", "Train/Mle/000002.jpg"],
        ["femle/000001.jpg", "mael/000002.jpg"],
        ["Train/a/000001.jpg", "Train/b/000002.jpg"],
    ],
)
def test_a_near_miss_is_not_taken_for_celebas_own_layout(tmp_path: Path, names: list[str]) -> None:
    tables = {"list_attr_celeba.csv": "image_id,Male\n000001.jpg,1\n000002.jpg,-1\n"}
    with pytest.raises(UserError, match="which are neither labels nor splits: expected folders male and female"):
        fetched(write_zip(tmp_path / "faces.zip", names, **tables))


def test_a_few_names_of_another_layout_do_not_make_it(tmp_path: Path) -> None:
    names = ["26_0_2_20170116184024662.jpg", "a.jpg", "b.jpg", "c.jpg"]
    with pytest.raises(UserError, match="no known layout"):
        fetched(write_zip(tmp_path / "faces.zip", names))


def test_copies_of_utkface_in_several_folders_are_read_by_their_names(tmp_path: Path) -> None:
    name = "26_0_2_20170116184024662.jpg.chip.jpg"
    source = fetched(write_zip(tmp_path / "utk.zip", [f"UTKFace/{name}", f"crop/{name}", f"crop/UTKFace/{name}"]))
    assert source.kind == "utkface" and len(source.images) == 3
    assert source.images["label"].tolist() == ["male"] * 3
