"""Style of women is kept where it is known, predicted where it is not, and never asked of men."""

import numpy as np
import pandas as pd
import pytest

from model.training.examples import Faces
from model.training.style import predict_style, with_style


def faces(label: list[str], styled: list[bool | None]) -> Faces:
    table = pd.DataFrame({"dataset": "celeba", "label": label, "Heavy_Makeup": styled, "Wearing_Lipstick": styled})
    return Faces(table, np.zeros((len(label), 1, 1, 3), np.uint8))


@pytest.fixture
def known(rng: np.random.Generator) -> tuple[Faces, np.ndarray]:
    styled = rng.random(400) < 0.5
    features = rng.normal(size=(400, 3)) + 3 * styled[:, None]
    return faces(["female"] * 400, styled.tolist()), features


def test_unknown_women_get_the_style_that_their_features_tell(known: tuple[Faces, np.ndarray]) -> None:
    others = faces(["female", "female", "male", "female"], [None, None, None, False])
    style = predict_style(*known, others, np.array([[3.0] * 3, [0.0] * 3, [3.0] * 3, [3.0] * 3]))
    assert style.tolist() == [1, 0, -1, 0]
    assert with_style(others, style).table["style"].tolist() == [1, 0, -1, 0]


def test_without_enough_known_women_unknown_stays_unknown(known: tuple[Faces, np.ndarray]) -> None:
    few, features = faces(["female"] * 60, [True] * 50 + [False] * 10), known[1][:60]
    others = faces(["female", "male"], [None, None])
    assert predict_style(few, features, others, np.zeros((2, 3))).tolist() == [-1, -1]
