"""A table of labels beside the images: what is read, and what is said of one that does not fit."""

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from test_sources import ATTRIBUTES, photo, write_zip

from analysis.core.errors import UserError
from analysis.data.label_table import read_label_table
from analysis.data.sources import open_source, register

ROWS = (
    "file,split,label,identity,age,race,source,score,celeba_id\n"
    "a/1.jpg,train,female,Ann,31,Asian,web,0.5,\n"
    "a/2.jpg,val,M,Bob,,White,web,2,000002.jpg\n"
    "b/3.jpg,test,woman,,44.7,,press,,\n"
)


def faces(path: Path, **tables: str) -> Path:
    return write_zip(path, ["set/a/1.jpg", "set/a/2.jpg", "set/b/3.jpg", "set/b/4.jpg"], **tables)


@pytest.mark.usefixtures("home")
def test_a_table_names_labels_and_whatever_else_it_knows(tmp_path: Path) -> None:
    register(faces(tmp_path / "faces.zip", **{"set/labels.csv": ROWS}), "faces")
    source = open_source("faces")
    images = source.images.set_index("source_path")
    assert source.kind == "table"
    assert not source.aligned
    assert images["label"].to_dict() == {"set/a/1.jpg": "female", "set/a/2.jpg": "male", "set/b/3.jpg": "female"}
    assert images["split"].tolist() == ["train", "validation", "test"]
    assert images["age"].tolist() == [31, pd.NA, 44]
    assert images["identity"].tolist() == [0, 1, pd.NA]  # in the order of the alphabet
    assert images["source"].tolist() == ["web", "web", "press"]
    assert images["score"].dtype == "Float64"
    assert any("no row for it (such as 'set/b/4.jpg')" in note for note in source.notes)


@pytest.mark.usefixtures("home")
def test_celeba_ids_lead_to_attributes(tmp_path: Path) -> None:
    table = tmp_path / "list_attr_celeba.csv"
    table.write_text(ATTRIBUTES)
    register(faces(tmp_path / "faces.zip", **{"set/labels.csv": ROWS}), "faces", [table])
    images = open_source("faces").images
    assert images["Smiling"].tolist() == [pd.NA, False, pd.NA]


@pytest.mark.usefixtures("home")
def test_metadata_without_celeba_ids_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "list_attr_celeba.csv"
    table.write_text(ATTRIBUTES)
    with pytest.raises(UserError, match="add a column celeba_id"):
        register(faces(tmp_path / "faces.zip", **{"set/labels.csv": "file,label\na/1.jpg,f\n"}), "faces", [table])


@pytest.mark.usefixtures("home")
def test_a_table_goes_before_the_names_of_folders(tmp_path: Path) -> None:
    names = ["Train/Male/1.jpg", "Train/Female/2.jpg"]
    register(write_zip(tmp_path / "x.zip", names, **{"labels.csv": "file,label\nTrain/Male/1.jpg,female\n"}), "x")
    assert open_source("x").images["label"].tolist() == ["female"]
    register(write_zip(tmp_path / "y.zip", names, **{"labels.csv": "name,sex\nTrain/Male/1.jpg,female\n"}), "y")
    assert open_source("y").kind == "folders"


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8")]
)
def test_separators_and_encodings(separator: str, encoding: str) -> None:
    text = "File,Label\r\nä/1.jpg,Female\r\nä\\2.jpg,men\r\n".replace(",", separator).replace("men", "man")
    table = read_label_table("labels.csv", text.encode(encoding))
    assert table.rows["source_path"].tolist() == ["ä/1.jpg", "ä/2.jpg"]
    assert table.rows["label"].tolist() == ["female", "male"]


def test_parquet() -> None:
    content = io.BytesIO()
    pd.DataFrame({"file": ["1.jpg", "2.jpg"], "label": ["female", "male"], "age": [3, None]}).to_parquet(content)
    table = read_label_table("x/labels.parquet", content.getvalue())
    assert table.rows["source_path"].tolist() == ["x/1.jpg", "x/2.jpg"]
    assert table.rows["age"].tolist() == [3, pd.NA]


def test_parquet_with_the_files_as_its_index() -> None:
    content = io.BytesIO()
    pd.DataFrame({"file": ["1.jpg", "2.jpg"], "label": ["female", "male"]}).set_index("file").to_parquet(content)
    assert read_label_table("labels.parquet", content.getvalue()).rows["source_path"].tolist() == ["1.jpg", "2.jpg"]


def test_blank_lines_and_what_programs_write_for_a_missing_age_do_not_matter() -> None:
    table = read_label_table("labels.csv", b"\n\nfile,label,age\n\n1.jpg,f,NaN\n\n2.jpg,m,30.0\n")
    assert table.rows["age"].tolist() == [pd.NA, 30]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["label.csv", "labels (1).csv", "Labels.TSV", "labels.txt"])
def test_the_name_that_a_download_or_an_export_gave_a_table_does_not_matter(tmp_path: Path, name: str) -> None:
    register(faces(tmp_path / "faces.zip", **{f"set/{name}": ROWS}), "faces")
    assert open_source("faces").kind == "table"
    both = {f"set/{name}": ROWS, "set/labels.csv": ROWS.replace("press", "print")}
    register(faces(tmp_path / "both.zip", **both), "both")
    assert len(open_source("both").images) == 3


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["label.txt", "label.csv", "labels.txt"])
def test_another_file_with_a_name_like_a_table_of_labels_does_not_matter(tmp_path: Path, name: str) -> None:
    register(faces(tmp_path / "faces.zip", **{"set/labels.csv": ROWS, f"set/{name}": "0 female\n1 male\n"}), "faces")
    assert len(open_source("faces").images) == 3


def test_what_programs_write_for_a_missing_value_is_one_in_every_column() -> None:
    text = "file,label,identity,race,score\n1.jpg,f,nan,None,nan\n2.jpg,m,NA,White,2\n"
    rows = read_label_table("labels.csv", text.encode()).rows
    assert rows["identity"].isna().all()
    assert rows["race"].tolist() == [pd.NA, "White"] and rows["score"].tolist() == [pd.NA, 2.0]


def test_codes_in_a_parquet_table_are_refused_like_those_in_text() -> None:
    content = io.BytesIO()
    pd.DataFrame({"file": ["1.jpg", "2.jpg"], "label": [0, 1]}).to_parquet(content)
    with pytest.raises(UserError, match="row 2: label is '0', expected .*; write codes out as words"):
        read_label_table("labels.parquet", content.getvalue())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\n1.jpg,female\n", r"no column file \(it has name, label\)"),
        (
            "file,label\n1.jpg,unknown\n",
            r"row 2: label is 'unknown', expected female \(females, woman, women, f\) or male \(.*\)$",
        ),
        (
            "file,label\n1.jpg,f\n2.jpg,1\n",
            "row 3: label is '1', expected .* since data sets disagree about which label is 0",
        ),
        ("file,label\n1.jpg,0.0\n", "row 2: label is '0.0', expected .*; write codes out as words"),
        ("file,label\n1.jpg,True\n", "row 2: label is 'True', expected .*; write codes out as words"),
        ("file,label\n1.jpg,\n", "row 2: label is ''"),
        ("file,label\n1.jpg,f\n1.jpg,m\n", "lists '1.jpg' twice"),
        ("file,label,split\n1.jpg,f,train\n2.jpg,m,\n", "give every image one, or none"),
        (
            "file,label,split\n1.jpg,f,holdout\n",
            r"row 2: split is 'holdout', expected train \(training\) or val.* or test \(testing\)$",
        ),
        ("file,label,age\n1.jpg,f,10\n2.jpg,m,old\n", "row 3: age is 'old', expected years from 0 to 120"),
        ("file,label,hash\n1.jpg,f,00\n", "a name that meanface uses itself"),
        ("file,label,confidence\n1.jpg,f,1\n", "a column 'confidence', a name that meanface uses itself"),
        ("file,label,label\n1.jpg,f,m\n", "has the column 'label' twice"),
        ("file,label\n ,f\n", "row 2: file is '', expected the path of an image"),
        ("", "is empty"),
    ],
)
def test_what_does_not_fit_is_named(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_label_table("labels.csv", text.encode())


def test_bytes_that_are_no_table_are_refused() -> None:
    for name in ("labels.csv", "labels.parquet"):
        with pytest.raises(UserError, match="cannot be read"):
            read_label_table(name, b"\x89PNG\r\n\xff\xfe\x00")
    for content, what in ((b"PK\x03\x04[Content_Types].xml", "an Excel workbook"), (b"PAR1\x15", "a Parquet file")):
        with pytest.raises(UserError, match=f"labels.csv is {what}.*: save it as CSV"):
            read_label_table("labels.csv", content)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["1.jpg", "000001.jpg"])  # CelebA's names are numbers of six digits
def test_a_table_that_is_all_there_is_says_what_it_lacks(tmp_path: Path, name: str) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, photo())
        archive.writestr("labels.csv", f"file,sex\n{name},f\n")
    with pytest.raises(UserError, match=r"labels.csv has no column label \(it has file, sex\)"):
        register(path, "faces")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("rows", "named"), [("x/9.jpg,f\n", "'set/x/9.jpg'"), ("", "no row at all")])
def test_a_table_that_names_no_image_says_so(tmp_path: Path, rows: str, named: str) -> None:
    with pytest.raises(UserError, match=f"names no image that is here .it has {named}"):
        register(faces(tmp_path / "faces.zip", **{"set/labels.csv": f"file,label\n{rows}"}), "faces")
