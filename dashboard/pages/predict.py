"""The live predictor: photos from the visitor, each with its faces, a report to download.

A photo is in this session's memory while it is scored; afterwards only the numbers are. The pictures on the page are
the browser's own.
"""

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import PurePosixPath
from typing import IO, Any

import cv2
import numpy as np
import pandas as pd
import panel_material_ui as pmui
import param

from analysis.core.errors import UserError
from analysis.core.schema import MEANING
from analysis.core.spreadsheet import as_csv
from analysis.core.words import percent
from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH
from analysis.data.sources import demo_source
from analysis.figures.answers import on_every_source
from analysis.figures.datasheets import called
from analysis.figures.metrics import measured
from analysis.figures.theme import LABEL_COLOURS
from analysis.results.records import Card
from dashboard import chrome, parts
from dashboard.pages.photos import PhotoBox
from dashboard.pages.pixels import as_text
from dashboard.uploads import MAX_FILE_BYTES
from model.heat import MASKS
from model.predictions import COLUMNS

CARE = f"""
The answer is **perceived gender**: {MEANING.removeprefix("Perceived gender: ")}
It never overrides what people say of themselves. *Uncertain* is an answer, too: the model is not sure
enough, and the probability beside it says how far it leans.

**Photos stay in memory.** They are scored and dropped, never stored or logged. The photos that this page shows are
those in your browser.
"""
_SAMPLES = 8  # on the page
_LARGEST_FACE = 100_000  # bytes of a face as the model sees it


class PredictPage(chrome.ExplorerPage):
    """Scores the photos that a visitor gives."""

    crop = param.Selector(
        default="detect",
        objects={"Find every face": "detect", "Photo is one aligned face": "none"},
        doc="How to find faces; see `Predictor.predict_photo`.",
    )
    rows = param.List(default=[], doc="One dict per face, or per file without an answer, with the report's columns.")

    path = "/explore/predict"
    title = "Predict"
    lead = "Give one or more photos and see what the model says about every face in them."
    in_url = ("crop",)

    async def score(self, name: str, data: bytes) -> dict[str, Any]:
        """Score a photo and add its rows.

        Parameters
        ----------
        name
            File name.
        data
            Its bytes.

        Returns
        -------
        dict of str to object
            ``faces``, one dict for each with the fields of `FacePrediction`, numbered from 0, and ``aligned``, a data
            URL of the face as the model sees it; or ``error``, one sentence.
        """
        if len(data) > MAX_FILE_BYTES:
            limit, sent = MAX_FILE_BYTES // 2**20, len(data) / 2**20
            return self.refuse(name, f"the file is over {limit} MB, it has {sent:.1f}: upload a smaller photo")
        try:
            scored = await self.shared.scorer.score_with_crops(data, self.crop)
        except UserError as error:
            return self.refuse(name, str(error))
        answers = [asdict(face) for face, _ in scored]
        self.rows = [*self.rows, *({"file": name, **answer} for answer in answers)]
        return {
            "faces": [
                answer | {"aligned": parts.jpeg_url(crop.pixels), "too_small": crop.too_small}
                for answer, (_, crop) in zip(answers, scored, strict=True)
            ]
        }

    async def explain(self, data: bytes) -> dict[str, Any]:
        """Say what the answer to a face depends on.

        Parameters
        ----------
        data
            The face as the model saw it: what `score` gave as ``aligned``, without its address.

        Returns
        -------
        dict of str to object
            ``heat``, base64 of float32 in rows, slopes of the logit toward "male"; ``masks`` and ``seconds``; or
            ``error``, one sentence.
        """
        began = time.perf_counter()
        face = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if 0 < len(data) <= _LARGEST_FACE else None
        if face is None or face.shape != (FRAME_HEIGHT, FRAME_WIDTH, 3):
            return {"error": "that is no face as the model sees it: score the photo again"}
        try:
            heat = await self.shared.scorer.heat(np.ascontiguousarray(face[..., ::-1]))
        except UserError as error:
            return {"error": str(error)}
        return {"heat": as_text(heat), "masks": MASKS, "seconds": time.perf_counter() - began}

    def refuse(self, name: str, error: str) -> dict[str, Any]:
        """Add a row for a file without an answer."""
        self.rows = [*self.rows, {"file": name, "error": error}]
        return {"error": error}

    def report(self) -> pd.DataFrame:
        """Make a table of the rows: ``file, face, x, y, width, height, label, p_male, turned, small, error``."""
        whole = dict.fromkeys(("face", "x", "y", "width", "height", "turned"), "Int64")
        return pd.DataFrame(self.rows, columns=list(COLUMNS)).astype({**whole, "small": "boolean"})

    def clear(self) -> None:
        """Forget every row."""
        self.rows = []

    def content(self) -> list[Any]:
        """List the ways to give photos and what was found in them, the report, and the notice on care."""
        try:
            predictor = self.shared.scorer.predictor
        except UserError as error:
            return [parts.notice(f"**No model can be used yet:** {error}.", severity="warning"), parts.notice(CARE)]
        card = predictor.card
        try:
            composites = dict(samples())
        except UserError:  # without the demo faces, visitors' own photos can still be scored
            composites = {}
        photos = PhotoBox(
            self.score,
            self.refuse,
            self.explain,
            dict(list(composites.items())[:_SAMPLES]),
            band=[card.band.low, card.band.high],
            colours=LABEL_COLOURS,
        )
        about = (
            f"The model comes from run `{card.run}`.{self._agrees(card)} It answers *uncertain* where its probability "
            f"of “male” is between {percent(card.band.low)} and {percent(card.band.high)}."
        )
        return [
            parts.stack(
                parts.controls(parts.choice(self.param.crop), *self._downloads(photos, composites)), photos, gap=16
            ),
            parts.stack(parts.text(about), parts.notice(CARE), gap=14),
        ]

    def _agrees(self, card: Card) -> str:
        """How often the model agrees with the labels, where it is the published run's."""
        try:
            run, metrics = self.results.run.run, self.results.metrics
        except UserError:  # it predicts without a run, too
            return ""
        if run != card.run:
            return ""
        own = measured(metrics, "test")
        return (
            f" On {own.images:,} of {called(metrics.datasets[0])}’s test photos it agrees with the label on "
            f"{percent(own.accuracy)}. {on_every_source(metrics)}"
        ).rstrip()

    def _downloads(self, photos: PhotoBox, composites: dict[str, bytes]) -> list[Any]:
        def clear(event: Any) -> None:
            self.clear()
            photos.cleared()

        answered = self.param.rows.rx.len() > 0
        reports = (
            ("Report as CSV", "predictions.csv", lambda: io.StringIO(as_csv(self.report()))),
            ("Parquet", "predictions.parquet", self._parquet),
        )
        downloads = [_download(label, filename, write, visible=answered) for label, filename, write in reports]
        if composites:
            pack = f"Sample pack ({len(composites)} composites)"
            downloads.append(_download(pack, "meanface-samples.zip", lambda: io.BytesIO(sample_pack())))
        again = pmui.Button(
            label="Clear", icon="delete", on_click=clear, visible=answered, variant="outlined", margin=0
        )
        return [*downloads, again]

    def _parquet(self) -> io.BytesIO:
        written = io.BytesIO()
        self.report().to_parquet(written, index=False)
        written.seek(0)
        return written


def _download(label: str, filename: str, write: Callable[[], IO[Any]], **options: Any) -> pmui.FileDownload:
    """Make a button that downloads what a function writes."""
    button = pmui.FileDownload(label=label, filename=filename, callback=write, margin=0, **options)
    button.variant = "outlined"  # Panel warns of a name that it adds itself where this is given at once
    return button


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
