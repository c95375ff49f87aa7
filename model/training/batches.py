"""Batches of one epoch, the same on every Keras backend: determined by seed, epoch and step."""

import keras
import numpy as np

from model.training.augment import Augmentation, draw

Pictures = dict[str, np.ndarray]
Targets = dict[str, np.ndarray]


class Batches(keras.utils.PyDataset):
    """One epoch of batches of the same size; what is left of the faces is not shown in this epoch.

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
        super().__init__(workers=2, max_queue_size=4)
        self._pixels, self._targets, self._rows = pixels, targets, rows
        self._batch_size, self._seed, self._window = batch_size, seed, window
        self._size, self._strength = size, strength

    def __len__(self) -> int:
        """Number of steps."""
        return max(1, len(self._rows) // self._batch_size)

    def __getitem__(self, step: int) -> tuple[Pictures, Targets]:
        """Return inputs, faces and draws of `model.training.distort.Distort`, and targets of a step, counted from 0."""
        part = self._rows[step * self._batch_size : (step + 1) * self._batch_size]
        faces = self._pixels[part]
        draws = draw([*self._seed, step], len(part), faces.shape[1:3], self._window, self._size, self._strength)
        return {"faces": faces, "draws": draws}, {name: values[part] for name, values in self._targets.items()}
