"""CelebA's tables as people's programs write them anew, and what is said of those that cannot be read."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from archives import write_zip

from analysis.core.errors import UserError
from analysis.data.sources import open_source, register

IDS = ["000001.jpg", "000002.jpg", "000010.jpg"]
NUMBERED = [f"img_align_celeba/{name}" for name in IDS]
ATTRIBUTES = pd.DataFrame(
    {"image_id": IDS, "5_o_Clock_Shadow": [-1, 1, -1], "Male": [-1, 1, 1], "Wearing_Hat": [1, -1, -1]}
)
PARTITION = pd.DataFrame({"image_id": IDS, "partition": [0, 1, 2]})
IDENTITY = pd.DataFrame({"image_id": IDS, "identity": [7, 8, 7]})


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """All of these register something."""


def check(folder: Path, tables: dict[str, bytes | str], *given: Path) -> None:
    """Register CelebA's images with tables beside them, and find what the tables say."""
    path = write_zip(folder / "celeba.zip", NUMBERED)
    for name, content in tables.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    register(path, "celeba", given)
    source = open_source("celeba")
    images = source.images.set_index("image_id")
    assert images["label"].tolist() == ["female", "male", "male"]
    assert images["Wearing_Hat"].tolist() == [True, False, False]
    assert images["5_o_Clock_Shadow"].tolist() == [False, True, False]
    if len(tables) + len(given) == 3:
        assert images["split"].tolist() == ["train", "validation", "test"]
        assert images["identity"].tolist() == [7, 8, 7]


def csv(table: pd.DataFrame, separator: str = ",", **options) -> str:
    return table.to_csv(index=False, sep=separator, **options)


def spaced(table: pd.DataFrame, separator: str = " ", *, count: bool = True, header: bool = True) -> str:
    """CelebA's own way: a count, names of columns without the first, rows."""
    lines = [str(len(table))] * count + [separator.join(table.columns[1:])] * header
    return "\n".join(lines + [separator.join(map(str, row)) for row in table.to_numpy()]) + "\n"


SEPARATORS = [",", ";", "\t", "|"]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_any_separator_is_read(tmp_path: Path, separator: str, ending: str) -> None:
    tables = {f"list_attr_celeba.{ending}": csv(ATTRIBUTES, separator)}
    tables[f"list_eval_partition.{ending}"] = csv(PARTITION, separator)
    check(tmp_path, tables | {f"identity_CelebA.{ending}": csv(IDENTITY, separator, header=False)})


@pytest.mark.parametrize("separator", [" ", "  ", "\t", ";", ","])
@pytest.mark.parametrize("count", [True, False])
def test_the_original_is_read_with_and_without_its_count(tmp_path: Path, separator: str, count: bool) -> None:
    tables = {"list_attr_celeba.txt": spaced(ATTRIBUTES, separator, count=count)}
    tables["list_eval_partition.txt"] = spaced(PARTITION, separator, count=False, header=False)
    check(tmp_path, tables | {"identity_CelebA.txt": spaced(IDENTITY, separator, count=count, header=False)})


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_encoding_and_line_break_is_read(tmp_path: Path, mark: bytes, encoding: str, end: str) -> None:
    for text in (csv(ATTRIBUTES), spaced(ATTRIBUTES), csv(ATTRIBUTES, "\t")):
        check(tmp_path, {"list_attr_celeba.txt": mark + text.replace("\n", end).encode(encoding)})


@pytest.mark.parametrize(
    "write",
    [
        lambda name: str(int(name[:6])),
        lambda name: name[:6],
        lambda name: f"{int(name[:6])}.0",
        lambda name: f"{int(name[:6])}.jpg",
        lambda name: name.replace(".jpg", ".png"),
        lambda name: f"img_align_celeba/{name}",
        lambda name: f"img_align_celeba\\{name}",
        lambda name: f"./{name}",
    ],
)
@pytest.mark.parametrize("text", [csv, spaced])
def test_names_that_lost_their_zeros_or_ending_are_still_joined(
    tmp_path: Path, write: Callable[[str], str], text: Callable[[pd.DataFrame], str]
) -> None:
    tables = [table.assign(image_id=table["image_id"].map(write)) for table in (ATTRIBUTES, PARTITION, IDENTITY)]
    names = ["list_attr_celeba.csv", "list_eval_partition.csv", "identity_CelebA.csv"]
    check(tmp_path, {name: text(table) for name, table in zip(names, tables, strict=True)})


@pytest.mark.parametrize(
    "name",
    [
        "list_attr_celeba (1).csv",
        "list_attr_celeba(1).txt",
        "list_attr_celeba - Copy.csv",
        "Copy of list_attr_celeba.csv",
        "list_attr_celeba.csv.txt",
        "LIST_ATTR_CELEBA.TXT",
        "list_attr_tabs.tsv",
    ],
)
def test_the_name_that_a_download_or_copy_gave_a_table_does_not_matter(tmp_path: Path, name: str) -> None:
    check(tmp_path, {name: csv(ATTRIBUTES, "\t")})


def test_of_several_copies_the_one_with_the_plain_name_counts(tmp_path: Path) -> None:
    tables = {"list_attr_celeba (1).csv": csv(ATTRIBUTES.assign(Male=1)), "list_attr_celeba.csv": csv(ATTRIBUTES)}
    check(tmp_path, tables)


def test_a_table_of_any_name_is_known_by_its_columns_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name, table in {"a.csv": ATTRIBUTES, "b.dat": PARTITION, "c": IDENTITY}.items():
        (tmp_path / "tables" / name).write_text(csv(table, ";"))
    check(tmp_path, {}, *sorted((tmp_path / "tables").iterdir()))


@pytest.mark.parametrize(
    "text",
    [
        ATTRIBUTES.to_csv(),  # with an index in front
        ATTRIBUTES.to_csv(index=False, quoting=1),
        ATTRIBUTES.rename(columns=str.lower).to_csv(index=False),
        ATTRIBUTES.rename(columns={"Wearing_Hat": "Wearing Hat", "image_id": "Filename"}).to_csv(index=False),
        ATTRIBUTES.replace(-1, 0).to_csv(index=False),
        ATTRIBUTES.astype({"Male": float, "Wearing_Hat": float}).to_csv(index=False),
        ATTRIBUTES.assign(Male=ATTRIBUTES["Male"] == 1).to_csv(index=False),
        ATTRIBUTES.assign(Comment="seen").to_csv(index=False),
        ATTRIBUTES[["Male", "Wearing_Hat", "image_id", "5_o_Clock_Shadow"]].to_csv(index=False),
        csv(ATTRIBUTES).replace("\n", ",\n"),
        csv(ATTRIBUTES).replace(",", " , "),
        "sep=;\n" + csv(ATTRIBUTES, ";"),
        "\n\n" + csv(ATTRIBUTES),
        csv(ATTRIBUTES).rstrip("\n"),
        "3,,,\n" + csv(ATTRIBUTES),
    ],
)
def test_what_programs_do_to_a_table_does_not_matter(tmp_path: Path, text: str) -> None:
    check(tmp_path, {"list_attr_celeba.csv": text})


@pytest.mark.parametrize("names", [["train", "val", "test"], ["Training", "valid", "TEST"]])
def test_splits_may_be_named(tmp_path: Path, names: list[str]) -> None:
    tables = {"list_attr_celeba.csv": csv(ATTRIBUTES), "identity_CelebA.csv": csv(IDENTITY)}
    check(tmp_path, tables | {"list_eval_partition.csv": csv(PARTITION.assign(partition=names))})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            csv(ATTRIBUTES.drop(columns="Male"), ";"),
            "lacks image_id or Male .it has 3 columns, separated by semicolons, named image_id, 5_o_Clock_Shadow, "
            "Wearing_Hat.: expected list_attr_celeba",
        ),
        (csv(ATTRIBUTES, "\t", header=False), "lacks image_id or Male .it has 4 columns, separated by tabs."),
        (csv(ATTRIBUTES.assign(Male=["x", 1, 1])), "other than whole numbers under Male .'x'."),
        (csv(ATTRIBUTES.assign(Male=[0.5, 1, 1])), "other than whole numbers under Male .'0.5'."),
        (csv(ATTRIBUTES) + "000003.jpg,1\n", "cannot be read .*4 columns, separated by commas"),
        (csv(ATTRIBUTES.iloc[:0]), "has no rows"),
        (
            csv(ATTRIBUTES.assign(image_id=["a", "b", "c"])),
            "no row for any of the images .it has 'a', they are '000001.jpg'",
        ),
        (csv(ATTRIBUTES.rename(columns={"Wearing_Hat": "male"})), "lacks image_id or Male"),
        ("<html><title>Sign in</title>", r"list_attr_celeba.csv is a web page \(Sign in\)"),
        ("version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
        (b"\xff\xfei\0m\0a", "is not whole UTF-16-LE text"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_what_was_found_and_what_is_needed(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    with pytest.raises(UserError, match=says) as error:
        check(tmp_path, {"list_attr_celeba.csv": text})
    assert "\n" not in str(error.value) and "list_attr_celeba.csv" in str(error.value)
