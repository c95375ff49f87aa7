"""The live predictor: photos from the visitor, one row per face, a report to download.

Photos are in this session's memory while they are scored, small crops of them while the page is open.
"""

import base64
import io
import zipfile
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from functools import cache, partial
from html import escape
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param
from PIL import Image, ImageDraw

from analysis.core.errors import UserError
from analysis.core.spreadsheet import as_csv
from analysis.core.words import percent
from analysis.data.kinds import endings
from analysis.data.sources import demo_source
from analysis.figures.theme import LABEL_COLOURS
from dashboard import chrome, parts
from dashboard.uploads import MAX_FILE_BYTES, MAX_FILES
from model.faces import AROUND, PICTURE
from model.predict import FacePrediction
from model.predictions import COLUMNS

CARE = """
The answer is **perceived gender**: what CelebA's annotators would have said of a face in a photo. It says nothing about
who somebody is and never overrides what people say of themselves. *Uncertain* is an answer, given where the model is
not sure enough to decide.

**Photos stay in memory.** They are scored and dropped, never stored or logged; small crops of them stay in this page
until it is closed or cleared.
"""
_SAMPLES_AT_ONCE = 8
_CHUNK = 4 * 2**20  # bytes of a websocket message; servers refuse those over 16 MB
_BOX_COLOUR = "#ffffff"

_PLAIN: dict[str, Any] = {"variant": "outlined", "margin": 0}


class PhotoInput(pmui.FileInput):
    """A file input that hands photos over and keeps none.

    Panel's own keeps the bytes as its value, and with that a copy in the session's document. There is no public way
    to receive files without that, so two private methods are replaced; a test uploads files through them.

    Parameters
    ----------
    take
        Called with the file name and bytes of each photo of an upload.
    **params
        Of `panel_material_ui.FileInput`.
    """

    def __init__(self, take: Callable[[list[tuple[str, bytes]]], Coroutine[Any, Any, None]], **params: Any) -> None:
        super().__init__(multiple=True, max_file_size=MAX_FILE_BYTES, chunk_size=_CHUNK, **params)
        self._take = take

    def _process_chunk(self, msg: dict[str, Any]) -> None:
        # What the browser checks is checked again here, so that no other client can fill the memory.
        if len(self._buffer) > MAX_FILES:
            return
        partial_file = self._file_buffer.get(msg["name"], {"chunks": {}})
        if sum(map(len, partial_file["chunks"].values())) > MAX_FILE_BYTES:
            return
        super()._process_chunk(msg)

    def _update_file(self, filename: Any, mime_type: Any, value: Any) -> None:
        self._file_buffer.clear()
        if value:
            pn.state.execute(partial(self._take, list(zip(filename, value, strict=True))))


class PredictPage(chrome.ExplorerPage):
    """Scores the photos that a visitor gives."""

    crop = param.Selector(
        default="detect",
        objects={"Find every face": "detect", "Photo is one aligned face": "none"},
        doc="How to find faces; see `Predictor.predict_photo`.",
    )
    rows = param.List(default=[], doc="One dict per face, with the report's columns and `thumbnail`.")
    done = param.Integer(default=0, bounds=(0, None), doc="Number of photos of the current upload that are scored.")
    total = param.Integer(default=0, bounds=(0, None), doc="Number of photos of the current upload; 0 between uploads.")
    message = param.String(default="", doc="Error that concerns an upload as a whole.")

    path = "/explore/predict"
    title = "Predict"
    lead = "Upload one or more photos and see what the model says about every face in them."
    in_url = ("crop",)

    async def score(self, photos: list[tuple[str, bytes]]) -> None:
        """Score photos one after the other and add their rows as they come.

        Parameters
        ----------
        photos
            File name and bytes of each photo.
        """
        if self.total:
            self.message = "The last photos are still being scored: try again in a moment."
            return
        if len(photos) > MAX_FILES:
            self.message = f"These are too many photos at once: upload up to {MAX_FILES}."
            return
        self.param.update(message="", done=0, total=len(photos))
        try:
            for name, data in photos:
                self.rows = [*self.rows, *await self._rows(name, data)]
                self.done += 1
        finally:
            self.total = 0

    async def _rows(self, name: str, data: bytes) -> list[dict[str, Any]]:
        if len(data) > MAX_FILE_BYTES:
            limit, sent = MAX_FILE_BYTES // 2**20, len(data) / 2**20
            return [{"file": name, "error": f"the file is over {limit} MB, it has {sent:.1f}: upload a smaller photo"}]
        try:
            faces = await self.shared.scorer.score_with_pictures(data, self.crop)
        except UserError as error:
            return [{"file": name, "error": str(error)}]
        return [{"file": name, **asdict(face), "thumbnail": thumbnail(face, picture)} for face, picture in faces]

    def report(self) -> pd.DataFrame:
        """Make a table of the rows: ``file, face, x, y, width, height, label, p_male, turned, error``."""
        whole = dict.fromkeys(("face", "x", "y", "width", "height", "turned"), "Int64")
        return pd.DataFrame(self.rows, columns=list(COLUMNS)).astype(whole)

    def clear(self) -> None:
        """Forget every row and crop."""
        self.param.update(rows=[], message="")

    def content(self) -> list[Any]:
        """List the notice on care, the ways to upload photos, and the results."""
        return [
            parts.notice(CARE),
            parts.section("Your photos", self._controls(), self._progress, self._problem, about=self._about()),
            self._results,
        ]

    def _about(self) -> str:
        try:
            card = self.shared.scorer.predictor.card
        except UserError as error:
            return f"**No model can be used yet:** {error}."
        band, accuracy = card.band, card.test_accuracy
        agrees = f" It agrees with the annotators on {percent(accuracy)} of the test faces." if accuracy else ""
        return (
            f"The model comes from run `{card.run}`.{agrees} It says *uncertain* where its probability of “male” is "
            f"between {band.low:.2f} and {band.high:.2f}."
        )

    def _controls(self) -> Any:
        invitation = f"Choose photos, or drop up to {MAX_FILES} here (10 MB each)"
        busy = self.param.total.rx() > 0
        upload = PhotoInput(
            self.score,
            label=invitation,
            uploaded_label=invitation,
            accept=",".join(["image/*", *(f".{ending}" for ending in endings())]),
            variant="outlined",
            disabled=busy,
            sizing_mode="stretch_width",
            margin=0,
            sx={"minHeight": "120px", "border": "2px dashed", "fontSize": "1rem"},
        )
        return parts.stack(upload, parts.controls(parts.choice(self.param.crop), *self._samples(busy)), gap=16)

    def _samples(self, busy: Any) -> list[Any]:
        try:
            composites = samples()
        except UserError:
            return []  # without the demo faces, visitors' own photos can still be scored

        async def try_some(event: param.parameterized.Event) -> None:
            await self.score(list(composites[:_SAMPLES_AT_ONCE]))

        return [
            pmui.Button(label="Try sample faces", icon="face", on_click=try_some, disabled=busy, **_PLAIN),
            pmui.FileDownload(
                callback=lambda: io.BytesIO(sample_pack()),
                filename="meanface-samples.zip",
                label=f"Sample pack ({len(composites)} composites)",
                **_PLAIN,
            ),
        ]

    @param.depends("done", "total")
    def _progress(self) -> Any:
        if not self.total:
            return parts.nothing()
        return parts.stack(
            parts.text(f"Scored {self.done} of {self.total} ..."),
            pmui.LinearProgress(
                variant="determinate", value=100 * self.done // self.total, sizing_mode="stretch_width", margin=0
            ),
        )

    @param.depends("message")
    def _problem(self) -> Any:
        return parts.notice(self.message, severity="error") if self.message else parts.nothing()

    @param.depends("rows")
    def _results(self) -> Any:
        if not self.rows:
            return parts.nothing()
        return parts.section(
            "Results",
            parts.scrolling(f"<table>{results_table(self.rows)}</table>", "predictions"),
            parts.controls(
                pmui.FileDownload(
                    callback=lambda: io.StringIO(as_csv(self.report())),
                    filename="predictions.csv",
                    label="Report as CSV",
                    **_PLAIN,
                ),
                pmui.Button(label="Clear", icon="delete", on_click=lambda event: self.clear(), **_PLAIN),
            ),
        )


def thumbnail(face: FacePrediction, picture: np.ndarray | None) -> str:
    """Draw a face's box into its picture and turn it upright, as data URL.

    Parameters
    ----------
    face
        The face.
    picture
        See `model.faces.FaceCrop`; None shows nothing.
    """
    small = Image.fromarray(picture if picture is not None else np.zeros((PICTURE, PICTURE, 3), np.uint8))
    scale = PICTURE / (AROUND * max(face.width, face.height, 1))
    across, down = face.width * scale / 2, face.height * scale / 2
    middle = PICTURE / 2
    box = (middle - across, middle - down, middle + across, middle + down)
    ImageDraw.Draw(small).rectangle(box, outline=_BOX_COLOUR, width=3)
    encoded = io.BytesIO()
    small.rotate(-face.turned).save(encoded, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def _turned(degrees: int) -> str:
    return f"by {degrees}° clockwise" if degrees else ""


def results_table(rows: list[dict[str, Any]]) -> str:
    """Write rows as the inside of an HTML table, cells named so that theme.css can show them as cards on a phone."""
    heads = ("", "File", "Face", "x", "y", "Width", "Height", "Perceived gender", "p(male)", "Turned", "Error")
    lines = []
    for row in rows:
        file = f'<td class="file">{escape(row["file"])}</td>'
        if row.get("error"):
            lines.append(
                f'<tr class="failed"><td></td>{file}<td class="minor" colspan="8"></td>'
                f'<td class="error">{escape(row["error"])}</td></tr>'
            )
            continue
        numbers = "".join(
            f'<td class="number{"" if name == "face" else " minor"}" data-name="{name}">{row[name]}</td>'
            for name in ("face", "x", "y", "width", "height")
        )
        label, p_male = row["label"], row["p_male"]
        scale = f'<span class="scale"><i style="left:{100 * p_male:.1f}%"></i></span>'
        lines.append(
            f'<tr><td class="photo"><img src="{row["thumbnail"]}" alt="Face {row["face"]}"></td>{file}{numbers}'
            f'<td><span class="label" style="--colour:{LABEL_COLOURS[label]}">{label}</span></td>'
            f'<td data-name="p(male)">{p_male:.3f}{scale}</td>'
            f'<td data-name="Turned">{_turned(row["turned"])}</td><td></td></tr>'
        )
    numeric = {"Face", "x", "y", "Width", "Height"}
    head = "".join(f'<th scope="col"{" class=number" if name in numeric else ""}>{name}</th>' for name in heads)
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"


@cache
def samples() -> tuple[tuple[str, bytes], ...]:
    """Read the test faces of the shipped demo faces: file name and bytes of each composite, the labels alternating.

    Raises
    ------
    UserError
        If this installation lacks them.
    """
    by_label: dict[str, list[tuple[str, bytes]]] = {}
    with zipfile.ZipFile(demo_source()) as archive:
        for name in sorted(archive.namelist()):
            path = PurePosixPath(name)
            if "Test" in path.parts and path.suffix == ".jpg":
                label = path.parent.name.lower()
                by_label.setdefault(label, []).append((f"{label}-{path.name}", archive.read(name)))
    return tuple(face for pair in zip(*by_label.values(), strict=False) for face in pair)


@cache
def sample_pack() -> bytes:
    """Pack the sample faces into a zip; each file's name begins with its label.

    Raises
    ------
    UserError
        If this installation lacks them.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as pack:  # stored: JPEGs do not get smaller
        for name, data in samples():
            pack.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()
