"""Labels that are likely wrong, by confident learning. Knows labels and out-of-sample scores; shows no image."""

from typing import Any

import numpy as np
import pandas as pd
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

LABELS = ("female", "male")


def label_errors(scored: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    """Estimate how many labels of one source are wrong, and name the images that are the most suspect.

    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021. It
    needs scores of a model that did not learn from these labels: the validation and test splits have them, while for
    training images the network would have to be trained on folds.

    Parameters
    ----------
    scored
        ``dataset, image_id, split, label, p_male`` of one source, both labels, none of them trained on.

    Returns
    -------
    facts : dict
        ``images``, ``issues``, ``noise_rate`` (estimated share of wrong labels, in [0, 1]) and ``suggested``: counts
        of issues, "female to male" and "male to female".
    issues : pandas.DataFrame
        ``source, image_id, split, given, suggested, self_confidence`` (probability of the given label), the most
        suspect first.
    """
    male = (scored["label"] == "male").to_numpy(np.int64)
    p_male = scored["p_male"].to_numpy(np.float64)
    probabilities = np.column_stack([1 - p_male, p_male])
    joint = compute_confident_joint(male, probabilities, calibrate=True)
    order = find_label_issues(male, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    found = scored.iloc[order]
    issues = pd.DataFrame(
        {
            "source": found["dataset"],
            "image_id": found["image_id"],
            "split": found["split"],
            "given": found["label"],
            "suggested": np.where(male[order] == 1, "female", "male"),
            "self_confidence": probabilities[order, male[order]],
        }
    ).reset_index(drop=True)
    counts = issues["given"].value_counts()
    facts = {
        "images": len(scored),
        "issues": len(issues),
        "noise_rate": float(1 - np.trace(joint) / np.sum(joint)),
        "suggested": {
            "female to male": int(counts.get("female", 0)),
            "male to female": int(counts.get("male", 0)),
        },
    }
    return facts, issues
