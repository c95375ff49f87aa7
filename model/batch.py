"""Scores files and folders, one row a face. Knows paths and tables; prediction is ``model.predict``'s."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from analysis.core import storage
from analysis.core.errors import UserError
from model.faces import Crop
from model.predict import FacePrediction, Predictor

COLUMNS = ("file", *(field.name for field in fields(FacePrediction)), "error")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_WRITERS = {".csv", ".parquet", ".jsonl"}


def find_photos(given: Iterable[Path]) -> list[Path]:
    """Photos among files and folders; a file that is named is taken whatever its suffix.

    Parameters
    ----------
    given
        Files and folders; folders are searched to any depth, hidden files left out.

    Returns
    -------
    list of pathlib.Path
        In the order given, folders sorted.

    Raises
    ------
    UserError
        If a path does not exist or no photo is found.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in _SUFFIXES and file.is_file() and not file.name.startswith(".")
            )
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"{path} does not exist: give photos or folders of photos")
    if not found:
        raise UserError("no photo found: give JPEG, PNG, WebP, BMP, TIFF or GIF files, or folders that hold some")
    return found


def predict_paths(
    photos: list[Path], predictor: Predictor, *, crop: Crop = "detect", progress: bool = False
) -> pd.DataFrame:
    """Predict every face of every photo.

    Parameters
    ----------
    photos
        Files.
    predictor
        Does the work; photos are decoded and scored by two threads.
    crop
        See `Predictor.predict_photo`.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    pandas.DataFrame
        One row a face, in the order of ``photos``: ``file, face, x, y, width, height`` (pixels), ``label``,
        ``p_male`` in [0, 1], ``turned`` (see `FacePrediction`) and ``error``; a file that cannot be scored has one row
        with its error alone.
    """

    def score(photo: Path) -> list[dict[str, object]]:
        try:
            faces = predictor.predict_photo(photo.read_bytes(), crop=crop)
        except UserError as error:
            return [{"file": str(photo), "error": str(error)}]
        except OSError as error:
            return [{"file": str(photo), "error": f"cannot be read: {error.strerror or error}"}]
        return [{"file": str(photo), **asdict(face)} for face in faces]

    rows: list[dict[str, object]] = []
    with ThreadPoolExecutor(2) as pool:
        scored = pool.map(score, photos)
        for found in tqdm(scored, total=len(photos), desc="Predicting", unit="photo", disable=not progress):
            rows += found
    table = pd.DataFrame(rows, columns=COLUMNS)
    whole = ["face", "x", "y", "width", "height", "turned"]
    return table.astype({name: "Int64" for name in whole} | {"p_male": "float64"})


def check_output(output: Path) -> None:
    """Refuse a report that could not be written, before any work is done.

    Raises
    ------
    UserError
        If the suffix is none of .csv, .parquet and .jsonl, or the path is a folder.
    """
    if output.suffix.lower() not in _WRITERS:
        raise UserError(f"--output {output}: end it in .csv, .parquet or .jsonl")
    if output.is_dir():
        raise UserError(f"--output {output} is a folder: name a file")


def write_table(table: pd.DataFrame, output: Path) -> None:
    """Write predictions as CSV, Parquet or JSON Lines, by the suffix of ``output``; never half of them."""
    check_output(output)
    with storage.replacing(output) as new:
        match output.suffix.lower():
            case ".csv":
                table.to_csv(new, index=False)
            case ".parquet":
                table.to_parquet(new, index=False)
            case _:
                table.to_json(new, orient="records", lines=True, force_ascii=False)
