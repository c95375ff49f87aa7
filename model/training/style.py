"""Make-up and lipstick: annotated for CelebA's faces, predicted for women of other sources.

A network that has seen mostly women with make-up predicts men for women without. To balance both in training, the style
of every woman must be known.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.training.examples import UNKNOWN, Faces

_FEWEST = 50  # styled, and unstyled, women that a prediction is learnt from


def with_style(faces: Faces, style: np.ndarray) -> Faces:
    """The same faces with a column ``style`` in their table."""
    return Faces(faces.table.assign(style=style), faces.pixels)


def predict_style(faces: Faces, features: np.ndarray, others: Faces, of_others: np.ndarray) -> np.ndarray:
    """Style of women: as annotated, else as predicted by a logistic regression on features.

    The regression is fitted to women whose style is known, with both styles weighted equally.

    Parameters
    ----------
    faces
        Faces that the regression is fitted to: a training split.
    features
        float (n, features) of ``faces``.
    others
        Faces whose style is wanted; may be ``faces`` themselves.
    of_others
        float (m, features).

    Returns
    -------
    numpy.ndarray
        float32 (m,): 1 where a woman is styled, 0 where she is not, -1 for men, and for women of unknown style where
        too few are known to predict it.
    """
    style = np.where(others.male > 0, UNKNOWN, others.styled).astype(np.float32)
    known = (faces.male == 0) & (faces.styled != UNKNOWN)
    wanted = (others.male == 0) & (others.styled == UNKNOWN)
    if not wanted.any() or min((faces.styled[known] == 1).sum(), (faces.styled[known] == 0).sum()) < _FEWEST:
        return style
    line = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
    line.fit(features[known], faces.styled[known])
    style[wanted] = line.predict(of_others[wanted])
    return style
