"""The network in training: what distorts the faces before it, and teachers that see the very same pictures.

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
from model.training.architecture import NETWORK_NAME, Architecture
from model.training.augment import COLUMNS
from model.training.distort import Distort, mixed
from model.training.export import NETWORK

_DISTORT = "distort"


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
class Learner(keras.Model):
    """Network with distorted faces before it, in which teachers' mean probability replaces a share of the target.

    Inputs are those of `model.training.distort.Distort`, outputs those of the network. The metrics keep the label. The
    teachers are no part of it: they are not saved with it, and one read from a file has none.
    """

    _teachers: tuple[Teacher, ...] = ()
    _share = 0.0

    @property
    def network(self) -> keras.Model:
        """The network itself: pictures, (n, h, w, 3) in [0, 255], to logits."""
        return self.get_layer(NETWORK_NAME)

    def learn_from(self, teachers: Sequence[Teacher], share: float) -> None:
        """Replace ``share``, in [0, 1], of the target by the mean of the teachers' probabilities."""
        # Past Keras' own bookkeeping, which would make the teachers layers of the network.
        object.__setattr__(self, "_teachers", tuple(teachers))
        object.__setattr__(self, "_share", share)

    def pictures(self, inputs: dict[str, Any]) -> keras.KerasTensor:
        """Distorted pictures, float32 (n, rows, columns, 3), that the network gets for inputs of the learner."""
        return self.get_layer(_DISTORT)(inputs["faces"], inputs["draws"])

    def at_size(self, rows: int, columns: int) -> "Learner":
        """Return a learner of pictures of another size that shares network, optimiser and teachers with this one."""
        before = self.get_layer(_DISTORT)
        if (before.rows, before.columns) == (rows, columns):
            return self
        other = learner(self.network, rows, columns)
        other.compile_from_config(self.get_compile_config())
        other.optimizer = self.optimizer
        other.learn_from(self._teachers, self._share)
        return other

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Loss as `keras.Model` computes it, of targets that are mixed as the faces are, and in part the teachers'."""
        male = mixed(ops.cast(y["male"], "float32"), x["draws"])
        if self._teachers:
            pictures = self.pictures(x)
            taught = sum(teacher.probabilities(pictures) for teacher in self._teachers) / len(self._teachers)
            male = (1 - self._share) * male + self._share * ops.stop_gradient(taught)
        return super().compute_loss(x, {**y, "male": male}, y_pred, sample_weight, training)


def learner(network: keras.Model, rows: int, columns: int) -> Learner:
    """Put the distortion of faces, to pictures of a size in pixels, before a network from `build`; not compiled."""
    faces = keras.Input((FRAME_HEIGHT, FRAME_WIDTH, 3), dtype="uint8", name="faces")
    draws = keras.Input((COLUMNS,), name="draws")
    pictures = Distort(rows, columns, name=_DISTORT)(faces, draws)
    return Learner({"faces": faces, "draws": draws}, network(pictures), name="learner")
