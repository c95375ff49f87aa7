"""The loaded model, and what scores photos with it, shared by the API and all sessions of the explorer.

Scoring leaves the event loop free. Small photos are scored in threads, one more than there are cores, as each waits for
Python now and then; all others, which may take 200 MB each, are decoded in processes of `analysis.data.decoding`. The
network stays here.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import joblib

from analysis.core.errors import UserError
from analysis.data.containers import is_plain
from analysis.data.decoding import Decoders
from analysis.data.limits import PROCESSES, SECONDS
from model.faces import Crop, FaceCrop
from model.predict import FacePrediction, Predictor

T = TypeVar("T")


class NotReadyError(UserError):
    """The model is not loaded; the message says why."""


class Scorer:
    """Scores photos, once the model is loaded.

    Parameters
    ----------
    load
        Loads the predictor; called by `load`, in a thread.
    decode_seconds, decode_processes
        How long decoding one photo may take, and how many that are not plain are decoded at a time; see
        `analysis.data.decoding.Decoders`.
    """

    def __init__(
        self, load: Callable[[], Predictor], *, decode_seconds: float = SECONDS, decode_processes: int = PROCESSES
    ) -> None:
        self._load = load
        self._predictor: Predictor | None = None
        self._reason = "the model is still loading: try again in a moment"
        self._pool = ThreadPoolExecutor(joblib.cpu_count() + 1, thread_name_prefix="score")
        self._decoders = Decoders(decode_seconds, decode_processes)

    def load(self) -> None:
        """Load the model; a `UserError` is kept for `predictor` to raise."""
        try:
            self._predictor = self._load()
        except UserError as error:
            self._reason = str(error)

    def start(self) -> Future[None]:
        """Load the model in a thread, unless it is loaded; the future ends when it is. Decoders get ready meanwhile."""
        loading = self._pool.submit(self.load if self._predictor is None else lambda: None)
        self._decoders.start_soon()
        return loading

    def close(self) -> None:
        """Give up the photos that are decoded or wait."""
        self._decoders.close()

    @property
    def predictor(self) -> Predictor:
        """The loaded predictor.

        Raises
        ------
        NotReadyError
            If there is none (yet); the message says why.
        """
        if self._predictor is None:
            raise NotReadyError(self._reason)
        return self._predictor

    async def score(self, data: bytes, crop: Crop = "detect") -> list[FacePrediction]:
        """Predict every face of a photo; see `Predictor.predict_photo`.

        Raises
        ------
        PhotoError, NoFaceError
            As the predictor does.
        NotReadyError
            If the model is not loaded.
        """
        return (await self._score(data, crop))[0]

    async def score_with_crops(self, data: bytes, crop: Crop = "detect") -> list[tuple[FacePrediction, FaceCrop]]:
        """Predict every face of a photo; give each with what the network saw of it.

        Raises
        ------
        PhotoError, NoFaceError, NotReadyError
            As `score` does.
        """
        return list(zip(*await self._score(data, crop), strict=True))

    async def _score(self, data: bytes, crop: Crop) -> tuple[list[FacePrediction], list[FaceCrop]]:
        predictor = self.predictor

        def score_if_plain() -> tuple[list[FacePrediction], list[FaceCrop]] | None:
            if not is_plain(data):
                return None
            crops = predictor.read_faces(data, crop)
            return predictor.predict_crops(crops), crops

        scored = await self._run(score_if_plain)
        if scored is None:
            read = self._decoders.submit(predictor.read_faces, data, crop)
            crops = await asyncio.wrap_future(read)
            scored = await self._run(lambda: predictor.predict_crops(crops)), crops
        return scored

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
