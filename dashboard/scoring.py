"""The loaded model, and the few threads that score photos, shared by the API and all sessions of the explorer.

Scoring leaves the event loop free, and no more photos are decoded at a time than there are cores: each may take 150 MB.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from analysis.core.errors import UserError
from model.faces import Crop
from model.predict import FacePrediction, Predictor

T = TypeVar("T")


class NotReadyError(UserError):
    """The model is not loaded; the message says why."""


class Scorer:
    """Scores photos in threads, once the model is loaded.

    Parameters
    ----------
    load
        Loads the predictor; called by `load`, in a thread.
    """

    def __init__(self, load: Callable[[], Predictor]) -> None:
        self._load = load
        self._predictor: Predictor | None = None
        self._reason = "the model is still loading: try again in a moment"
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="score")

    def load(self) -> None:
        """Load the model; a `UserError` is kept for `predictor` to raise."""
        try:
            self._predictor = self._load()
        except UserError as error:
            self._reason = str(error)

    def start_loading(self) -> Future[None]:
        """Load the model in a thread, unless it is loaded."""
        return self._pool.submit(self.load if self._predictor is None else lambda: None)

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
        return await self.run(partial(self.predictor.predict_photo, data, crop=crop))

    async def run(self, work: Callable[[], T]) -> T:
        """Do other work on a photo in the same few threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
