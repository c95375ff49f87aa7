"""The verdict on the hypothesis: a fixed rule with five criteria.

The rule is the same for every data set:

- *Sound*: none of the three controls is significant (p at least 0.05 / 3 each), and the false-positive rate is not
  significantly above 5 %. If the test is not sound, the verdict is "inconclusive".
- *Significant*: p below 0.05 within the face, family-wise over all pixels and channels. If not, the verdict is "not
  supported".
- *More than styling*: p below 0.05 within the face in the strictest comparison that the data allows.
- *Predicts the label*: the whole interval of the nearest average's accuracy on unseen people is above 50 %.
- *Holds elsewhere*: the whole interval of the correlation with the map of every other data set is above 0.

The hypothesis is "supported" if all criteria hold that could be tested. If the difference is significant and another
criterion fails, the data does not say whether *faces* differ: "inconclusive".
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
    """Whether no control is significant and the false-positive rate is not significantly above the nominal one."""
    none_significant = all(control.p_value >= ALPHA / len(controls) for control in controls.values())
    return none_significant and (false_positives is None or false_positives.by_identity.interval[0] <= ALPHA)


def criteria(
    *,
    p_value: float,
    controls: dict[str, Control],
    false_positives: FalsePositives | None,
    matched_p_value: float | None,
    accuracy_low: float,
    correlation_low: float | None,
) -> dict[str, bool | None]:
    """Check the criteria of the rule.

    Parameters
    ----------
    p_value
        P value of the permutation test within the face.
    controls
        Name -> result of the control.
    false_positives
        As from `analysis.hypothesis.controls.false_positives`.
    matched_p_value
        P value within the face in the strictest comparison; None if nothing could be held equal.
    accuracy_low
        Lower end of the interval of the nearest average's accuracy.
    correlation_low
        Lowest of the lower ends of the correlations with other data sets; None without any.

    Returns
    -------
    dict
        Key of `QUESTIONS` -> whether the criterion holds; None where it could not be tested.
    """
    return {
        "sound": is_sound(controls, false_positives),
        "beyond_chance": p_value < ALPHA,
        "more_than_styling": None if matched_p_value is None else matched_p_value < ALPHA,
        "tells_apart": accuracy_low > 0.5,
        "elsewhere": None if correlation_low is None else correlation_low > 0,
    }


def decide(answers: dict[str, bool | None]) -> Verdict:
    """Apply the rule.

    Parameters
    ----------
    answers
        Key of `QUESTIONS` -> whether the criterion holds, as from `criteria`.

    Returns
    -------
    str
        "supported", "not supported" or "inconclusive".
    """
    if not answers["sound"]:
        return "inconclusive"
    if not answers["beyond_chance"]:
        return "not supported"
    return "inconclusive" if any(holds is False for holds in answers.values()) else "supported"
