"""The verdict on the hypothesis: a fixed rule, and what it was decided on.

Knows the numbers of the tests; knows nothing of how they were computed. The rule is fixed here and knows no data set:

- *Sound*: none of the three controls finds a difference (p at least 0.05 / 3 each), and the false-positive rate is not
  clearly above 5 %. A test that is not sound decides nothing: "inconclusive".
- *Beyond chance*: within the face p below 0.05, family-wise over all pixels and channels. If not: "not supported".
- *More than styling*: with as much held equal as the data allows, p below 0.05 within the face.
- *Predicts the label*: on unseen people, the nearest average beats guessing with its whole interval.
- *Holds elsewhere*: the correlation with every other data set's map is above 0, with its whole interval.

The hypothesis is "supported" if all hold that could be tested. If it is beyond chance and another one fails, the data
does not say whether *faces* differ: "inconclusive".
"""

from analysis.hypothesis.effect import ALPHA
from analysis.results.records import Control, FalsePositives, Verdict

CONTROLS = {
    "shuffled_labels": "Labels shuffled between people",
    "within_female": "Labelled female, split at random",
    "within_male": "Labelled male, split at random",
}
QUESTIONS = {
    "sound": "Is the test sound?",
    "beyond_chance": "Is it significant?",
    "more_than_styling": "Is it more than styling?",
    "tells_apart": "Do the averages predict the label?",
    "elsewhere": "Does it hold elsewhere?",
}


def is_sound(controls: dict[str, Control], false_positives: FalsePositives | None) -> bool:
    """Whether the controls found nothing and false alarms are about as rare as they should be."""
    quiet = all(control.p_value >= ALPHA / len(controls) for control in controls.values())
    return quiet and (false_positives is None or false_positives.by_identity.interval[0] <= ALPHA)


def criteria(
    *,
    p_value: float,
    controls: dict[str, Control],
    false_positives: FalsePositives | None,
    matched_p_value: float | None,
    accuracy_low: float,
    correlation_low: float | None,
) -> dict[str, bool | None]:
    """What the rule looks at.

    Parameters
    ----------
    p_value
        Of the permutation test, within the face.
    controls
        By name.
    false_positives
        As in `analysis.hypothesis.controls.false_positives`.
    matched_p_value
        Within the face, with the most held equal; None if nothing could be.
    accuracy_low
        Low end of the nearest average's accuracy.
    correlation_low
        Lowest low end of the correlations with other data sets; None without any.

    Returns
    -------
    dict
        Key of `QUESTIONS` -> whether it holds, None where it could not be tested.
    """
    return {
        "sound": is_sound(controls, false_positives),
        "beyond_chance": p_value < ALPHA,
        "more_than_styling": None if matched_p_value is None else matched_p_value < ALPHA,
        "tells_apart": accuracy_low > 0.5,
        "elsewhere": None if correlation_low is None else correlation_low > 0,
    }


def decide(found: dict[str, bool | None]) -> Verdict:
    """Apply the rule.

    Parameters
    ----------
    found
        From `criteria`.

    Returns
    -------
    str
        "supported", "not supported" or "inconclusive".
    """
    if not found["sound"]:
        return "inconclusive"
    if not found["beyond_chance"]:
        return "not supported"
    return "inconclusive" if any(held is False for held in found.values()) else "supported"
