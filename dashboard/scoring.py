"""The loaded model, and what scores photos with it, shared by the API and all sessions of the explorer.

Scoring leaves the event loop free. Small photos are scored in processes that hold the model, one for each core; see
`dashboard.workers`. All others, which may take 200 MB each, are decoded in processes of `analysis.data.decoding` that
end with their photo. Where there are no processes, photos are scored in threads. The network stays here.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import joblib
import numpy as np

from analysis.core.errors import UserError
from analysis.data.containers import PLAIN_BYTES, is_plain
from analysis.data.decoding import Decoders
from analysis.data.limits import PROCESSES, SECONDS
from dashboard.workers import NoWorkersError, Workers
from model.faces import Crop, FaceCrop
from model.heat import heat_map
from model.predict import FacePrediction, Predictor

P = ParamSpec("P")
T = TypeVar("T")
MOST = 4  # processes that score, unless more are asked for: each takes some 40 MB
Scored = tuple[list[FacePrediction], list[FaceCrop]]


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
    score_processes
        How many processes score small photos; 0 for one a core, of which `MOST` are used.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        *,
        decode_seconds: float = SECONDS,
        decode_processes: int = PROCESSES,
        score_processes: int = 0,
    ) -> None:
        self._load = load
        self._predictor: Predictor | None = None
        self._reason = "the model is still loading: try again in a moment"
        self._pool = ThreadPoolExecutor(joblib.cpu_count() + 1, thread_name_prefix="score")
        self._decoders = Decoders(decode_seconds, decode_processes, preload=("dashboard.workers",))
        self._workers: Workers | None = None
        self._processes = score_processes or min(joblib.cpu_count(), MOST)
        self._seconds = decode_seconds
        self._closed = False

    def load(self) -> None:
        """Load the model; a `UserError` is kept for `predictor` to raise."""
        try:
            self._predictor = self._load()
        except UserError as error:
            self._reason = str(error)

    def start(self) -> Future[None]:
        """Load the model in a thread, unless it is loaded; the future ends when it is.

        Processes get ready meanwhile. They belong to the running event loop; `close` ends them.
        """
        loop = asyncio.get_running_loop()
        loading = self._pool.submit(self.load if self._predictor is None else lambda: None)

        def start_processes() -> None:
            if self._decoders.start():
                loading.result()
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(self._start_workers)

        threading.Thread(target=start_processes, name="processes", daemon=True).start()
        return loading

    def _start_workers(self) -> None:
        if self._predictor is None or self._closed:
            return
        try:
            self._workers = Workers(self._predictor, self._processes, self._seconds)
        except ValueError:  # a predictor that was not made from a file, and stays here
            return
        self._workers.start()

    def close(self) -> None:
        """Give up the photos that are decoded or wait."""
        self._closed = True
        self._decoders.close()
        if self._workers:
            self._workers.close()

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
        return (await self._score(data, crop, with_crops=False))[0]

    async def score_with_crops(self, data: bytes, crop: Crop = "detect") -> list[tuple[FacePrediction, FaceCrop]]:
        """Predict every face of a photo; give each with what the network saw of it.

        Raises
        ------
        PhotoError, NoFaceError, NotReadyError
            As `score` does.
        """
        return list(zip(*await self._score(data, crop, with_crops=True), strict=True))

    async def heat(self, face: np.ndarray) -> np.ndarray:
        """Say what the answer to a face depends on; see `model.heat.heat_map`.

        Raises
        ------
        NotReadyError
            If the model is not loaded.
        """
        return await self._do(heat_map, face)

    async def _score(self, data: bytes, crop: Crop, *, with_crops: bool) -> Scored:
        predictor = self.predictor
        if len(data) <= PLAIN_BYTES or is_plain(data):
            scored = await self._do(_score_if_plain, data, crop, with_crops=with_crops)
            if scored is not None:
                return scored
        crops = await asyncio.wrap_future(self._decoders.submit(predictor.read_faces, data, crop))
        return await self._do(_predict, crops), crops

    async def _do(self, work: Callable[Concatenate[Predictor, P], T], *args: P.args, **options: P.kwargs) -> T:
        if self._workers:
            with contextlib.suppress(NoWorkersError):
                return await self._workers.do(work, *args, **options)
        here = partial(work, self.predictor, *args, **options)
        return await asyncio.get_running_loop().run_in_executor(self._pool, here)


def _score_if_plain(predictor: Predictor, data: bytes, crop: Crop, *, with_crops: bool) -> Scored | None:
    """Score a photo, unless it is one that may do harm; without crops, its answer is a hundredth as long."""
    if not is_plain(data):
        return None
    crops = predictor.read_faces(data, crop)
    return predictor.predict_crops(crops), crops if with_crops else []


def _predict(predictor: Predictor, crops: list[FaceCrop]) -> list[FacePrediction]:
    return predictor.predict_crops(crops)
