"""Augmented batches of one epoch, the same on every Keras backend: determined by seed, epoch and step."""

import math
from collections.abc import Callable

import keras
import numpy as np

from model.training.augment import Augmentation, augment, mix

Targets = dict[str, np.ndarray]
_WORKERS = 2  # threads that prepare batches while the network trains on another one


class Batches(keras.utils.PyDataset):
    """One epoch of augmented batches.

    Parameters
    ----------
    pixels
        uint8 (n, 109, 89, 3), RGB, aligned faces.
    targets
        Name of the head -> float32 (n, outputs); "male" among them.
    rows
        int (m,): faces of the epoch, in order.
    batch_size
        Faces per step; the last step may have fewer.
    seed
        Random seeds of training and epoch.
    window
        Height and width of the part of the aligned face that the network gets, in pixels.
    size
        Size of the pictures relative to the window.
    strength
        Strength of augmentation.
    teach
        Replaces the target "male", float32 (b, 1), of pictures, uint8 (b, height, width, 3); default: leaves it.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        targets: Targets,
        rows: np.ndarray,
        *,
        batch_size: int,
        seed: tuple[int, int],
        window: tuple[int, int],
        size: float,
        strength: Augmentation,
        teach: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        super().__init__(workers=_WORKERS, max_queue_size=4)
        self._pixels, self._targets, self._rows = pixels, targets, rows
        self._batch_size, self._seed, self._window = batch_size, seed, window
        self._size, self._strength, self._teach = size, strength, teach

    def __len__(self) -> int:
        """Number of steps."""
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, step: int) -> tuple[np.ndarray, Targets]:
        """Pictures, float32 (b, height, width, 3) in [0, 255], and targets of a step, counted from 0."""
        part = self._rows[step * self._batch_size : (step + 1) * self._batch_size]
        seed = [*self._seed, step]
        faces = augment(self._pixels[part], seed, *self._window, self._size, self._strength)
        targets = {name: values[part] for name, values in self._targets.items()}
        if self._strength.mix:
            faces, targets["male"] = mix(faces, targets["male"], [*seed, 1], self._strength.mix)
        if self._teach:
            targets["male"] = self._teach(faces, targets["male"])
        return faces.astype(np.float32), targets
