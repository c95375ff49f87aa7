"""Augmented batches of one epoch, the same on every Keras backend: determined by seed, epoch and step."""

import joblib
import keras
import numpy as np

from model.training.augment import Augmentation, augment, mix

Targets = dict[str, np.ndarray]


class Batches(keras.utils.PyDataset):
    """One epoch of augmented batches of the same size; what is left of the faces is not shown in this epoch.

    Parameters
    ----------
    pixels
        uint8 (n, 109, 89, 3), RGB, aligned faces.
    targets
        Name of the head -> float32 (n, outputs); "male" among them.
    rows
        int (m,): faces of the epoch, in order.
    batch_size
        Faces per step; all of them if there are fewer.
    seed
        Random seeds of training and epoch.
    window
        Height and width of the part of the aligned face that the network gets, in pixels.
    size
        Size of the pictures relative to the window.
    strength
        Strength of augmentation.
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
    ) -> None:
        workers = max(2, joblib.cpu_count())  # threads that prepare batches while the network trains on another one
        super().__init__(workers=workers, max_queue_size=2 * workers)
        self._pixels, self._targets, self._rows = pixels, targets, rows
        self._batch_size, self._seed, self._window = batch_size, seed, window
        self._size, self._strength = size, strength

    def __len__(self) -> int:
        """Number of steps."""
        return max(1, len(self._rows) // self._batch_size)

    def __getitem__(self, step: int) -> tuple[np.ndarray, Targets]:
        """Pictures, uint8 (b, height, width, 3) in [0, 255], and targets of a step, counted from 0."""
        part = self._rows[step * self._batch_size : (step + 1) * self._batch_size]
        seed = [*self._seed, step]
        faces = augment(self._pixels[part], seed, *self._window, self._size, self._strength)
        targets = {name: values[part] for name, values in self._targets.items()}
        if self._strength.mix:
            faces, targets["male"] = mix(faces, targets["male"], [*seed, 1], self._strength.mix)
        return faces, targets
