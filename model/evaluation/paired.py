"""Two runs on the same test images: who gained and who lost, and whether chance could do as much.

Photos of one person are not independent, so that the test counts people: those of whom more photos are right in one run
against those of whom more are right in the other. Where every photo shows somebody else it is McNemar's exact test.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.core.people import interval, person_numbers, resampled_means
from analysis.core.stats import sign_test
from model.evaluation.fairness import SMALLEST, features, members
from model.evaluation.scores import parts

RESAMPLES = 2000
EVERYBODY = "all"  # feature and group of a whole source or subset

COLUMNS = (
    "run", "source", "feature", "group", "images", "people", "gained", "lost", "people_gained", "people_lost",
    "difference", "low", "high", "p_value",
)  # fmt: skip


def paired(own: pd.DataFrame, others: Mapping[str, pd.DataFrame], *, seed: int = 0) -> pd.DataFrame:
    """Compare a run with others on each source, each subset and each group.

    Parameters
    ----------
    own
        ``dataset, image_id, label, p_male`` and what `model.evaluation.fairness.features` groups by.
    others
        Name of another run -> the same images in the same order, with its probabilities.
    seed
        Random seed of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        ``run`` (the other one), ``source``, ``feature`` and ``group`` ("all" for everybody), ``images``, ``people``;
        ``gained`` and ``lost``: images that only this run, and that only the other one, has right;
        ``people_gained`` and ``people_lost``: people of whom more photos are right in this run, in the other;
        ``difference`` of the accuracies, this one's minus the other's, in [-1, 1], with its 95 % interval ``low``,
        ``high`` (people resampled); ``p_value`` of the sign test over people. Groups of fewer than 20 images are left
        out; without another run there are no rows.

    Raises
    ------
    ValueError
        If the tables are not of the same images in the same order.
    """
    keys = ["dataset", "image_id"]
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for run, other in others.items():
        if not own[keys].reset_index(drop=True).equals(other[keys].reset_index(drop=True)):
            raise ValueError("both tables must hold the same images in the same order")
        ahead = _right(own).astype(np.int8) - _right(other).astype(np.int8)
        for name in dict.fromkeys(own["dataset"]):
            inside = (own["dataset"] == name).to_numpy()
            compared = _of_source(own[inside], ahead[inside], np.random.default_rng(seed))
            tables.append(compared.assign(run=run)[list(COLUMNS)])
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _right(scored: pd.DataFrame) -> np.ndarray:
    return ((scored["p_male"] >= 0.5) == (scored["label"] == "male")).to_numpy(bool)


def slices(scored: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """What runs are compared on: a data set as a whole, its subsets, and its groups of 20 images or more.

    Parameters
    ----------
    scored
        ``dataset, split, label`` and what `model.evaluation.fairness.features` groups by; images of one data set.

    Returns
    -------
    named : pandas.DataFrame
        ``source, feature, group``; a row a slice.
    inside : numpy.ndarray
        bool (n, slice): the images of each.
    """
    dataset = scored["dataset"].iloc[0]
    sources, subsets = parts(scored, [dataset])
    whole = sources | subsets
    grouped = features(scored)
    counts = {name: grouped[name].value_counts().sort_index() for name in grouped}
    sizes = pd.concat([count.rename_axis("group").reset_index().assign(feature=name) for name, count in counts.items()])
    sizes = sizes[sizes["count"] >= SMALLEST]
    named = pd.DataFrame(
        {
            "source": [*whole, *[dataset] * len(sizes)],
            "feature": [*[EVERYBODY] * len(whole), *sizes["feature"]],
            "group": [*[EVERYBODY] * len(whole), *sizes["group"]],
        }
    )
    return named, np.column_stack([*whole.values(), members(grouped, sizes["feature"], sizes["group"])])


def _of_source(scored: pd.DataFrame, ahead: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of one data set."""
    groups, inside = slices(scored)
    person = person_numbers(scored)
    groups = groups.join(pd.DataFrame([paired_counts(ahead[rows], person[rows]) for rows in inside.T]))
    groups["low"], groups["high"] = interval(resampled_means(ahead, inside, person, RESAMPLES, rng))
    return groups


def paired_counts(ahead: np.ndarray, person: np.ndarray) -> dict[str, float]:
    """Count who gained and who lost.

    Parameters
    ----------
    ahead
        int (n,): 1 where only the first of two answers is right, -1 where only the second is, else 0.
    person
        int (n,): who is on each image.

    Returns
    -------
    dict
        ``images, people, gained, lost, people_gained, people_lost, difference, p_value`` as in `paired`; without an
        image, ``difference`` is missing.
    """
    by_person = np.bincount(pd.factorize(person)[0], weights=ahead)  # of none, an empty array
    people_gained, people_lost = int((by_person > 0).sum()), int((by_person < 0).sum())
    return {
        "images": len(ahead),
        "people": len(by_person),
        "gained": int((ahead > 0).sum()),
        "lost": int((ahead < 0).sum()),
        "people_gained": people_gained,
        "people_lost": people_lost,
        "difference": float(ahead.mean()) if len(ahead) else np.nan,
        "p_value": sign_test(people_gained, people_lost),
    }
