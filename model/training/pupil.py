"""A network that learns from others, its teachers, which see the very same distorted and mixed pictures.

Beyer, Zhai, Royer, Markeeva, Anil and Kolesnikov, "Knowledge Distillation: A Good Teacher is Patient and Consistent",
CVPR 2022. Teachers may see a smaller part of the face than their pupil, and in more detail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from analysis.core.errors import UserError
from analysis.data.alignment import FRAME_HEIGHT, FRAME_WIDTH
from analysis.results import Run
from model.predict import window_corner
from model.training.architecture import Architecture
from model.training.export import NETWORK


@dataclass(frozen=True)
class Teacher:
    """A served network, and where its pictures lie in those of its pupil.

    Attributes
    ----------
    network
        float32 (n, h, w, 3) in [0, 255] -> logits (n, 1).
    top, left, bottom, right
        Edges of its window as shares of the height and width of the pupil's.
    """

    network: keras.Model
    top: float
    left: float
    bottom: float
    right: float

    def probabilities(self, pictures: keras.KerasTensor) -> keras.KerasTensor:
        """Probability of "male", (n, 1), of the pupil's pictures, (n, h, w, 3) in [0, 255], at any size."""
        rows, columns = pictures.shape[1:3]
        top, bottom = round(self.top * rows), round(self.bottom * rows)
        left, right = round(self.left * columns), round(self.right * columns)
        seen = ops.cast(pictures[:, top:bottom, left:right], "float32")
        if seen.shape[1:3] != self.network.input_shape[1:3]:
            seen = ops.image.resize(seen, self.network.input_shape[1:3], interpolation="bilinear")
        return ops.sigmoid(self.network(seen, training=False))


def open_teacher(name: str, pupil: Architecture) -> Teacher:
    """Open the network that a run serves as a teacher.

    Parameters
    ----------
    name
        Name of the run.
    pupil
        Architecture of the network that is taught.

    Raises
    ------
    UserError
        If the run has no weights, or its network sees a part of the face that the pupil does not see.
    """
    path = Run.open(name).folder / "model" / NETWORK
    if not path.exists():
        raise UserError(f"run {name!r} has no weights to teach with: run `meanface train NAME --run {name}` first")
    network = keras.saving.load_model(path)
    height, width = network.input_shape[1:3]
    top, left = window_corner(FRAME_HEIGHT, FRAME_WIDTH, height, width)
    own_top, own_left = window_corner(FRAME_HEIGHT, FRAME_WIDTH, pupil.height, pupil.width)
    top, left = top - own_top, left - own_left
    if min(top, left) < 0 or top + height > pupil.height or left + width > pupil.width:
        raise UserError(
            f"teacher {name!r} sees {height} x {width} pixels of a face, its pupil {pupil.height} x {pupil.width}: a "
            "teacher must not see more than its pupil"
        )
    return Teacher(
        network, top / pupil.height, left / pupil.width, (top + height) / pupil.height, (left + width) / pupil.width
    )


@keras.saving.register_keras_serializable("meanface")
class Pupil(keras.Model):
    """Network in which teachers' mean probability replaces a share of the label's target; the metrics keep the label.

    The teachers are no part of it: they are not saved with it, and a network read from a file has none.
    """

    _teachers: tuple[Teacher, ...] = ()
    _share = 0.0

    def learn_from(self, teachers: Sequence[Teacher], share: float) -> None:
        """Replace ``share``, in [0, 1], of the target by the mean of the teachers' probabilities."""
        # Past Keras' own bookkeeping, which would make the teachers layers of the pupil.
        object.__setattr__(self, "_teachers", tuple(teachers))
        object.__setattr__(self, "_share", share)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Loss as `keras.Model` computes it, of targets that are in part the teachers'."""
        if self._teachers:
            taught = sum(teacher.probabilities(x) for teacher in self._teachers) / len(self._teachers)
            male = ops.cast(y["male"], "float32")
            y = {**y, "male": (1 - self._share) * male + self._share * ops.stop_gradient(taught)}
        return super().compute_loss(x, y, y_pred, sample_weight, training)
