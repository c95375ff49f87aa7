"""The verdict on the hypothesis: a fixed rule, with thresholds that were written down before the data was looked at.

The rule is the same for every data set, and is applied to two parts: *shade*, the colours of aligned faces, and
*shape*, the distances between their landmarks. For each part:

- If the test is not sound (a control is significant, or the false-positive rate is significantly above 5 %), the part
  is "inconclusive".
- *No difference*: not significant, and every effect is smaller than the smallest that counts (an equivalence test).
- *Not worth speaking of*: significant, but every effect is smaller than the smallest that counts.
- *Supported*: the largest effect is above the smallest that counts with its whole simultaneous interval, and every
  further question that could be tested is answered with yes: so it does when everything else that is known is held
  equal, predicts the label of unseen people better than the more frequent label does, and shows elsewhere.
- "Inconclusive" otherwise: too few people, or a question answered with no.

A feature is a form first of all: where shape was measured, its verdict is that on the hypothesis, and that of the shade
stands beside it.
"""

from dataclasses import dataclass

from scipy.stats import norm

from analysis.hypothesis.effect import ALPHA
from analysis.results.records import AverageAccuracy, Control, FalsePositives, Verdict

SMALLEST_EFFECT = 0.2
"""Smallest effect that counts, in standard deviations between people: Cohen's "small"."""
LEAST_CORRELATION = 0.5
"""Correlation with the difference of another data set above which it is the same difference."""

THRESHOLDS = {
    "Level of significance, over all places at once": f"{ALPHA:.2f}",
    "Smallest effect that counts, |g|": f"{SMALLEST_EFFECT:.1f}",
    "Accuracy to beat": "that of the more frequent label, and 50 % when both labels count alike",
    "Correlation with other data sets, over all channels": f"{LEAST_CORRELATION:.1f}",
}
"""Thresholds of the rule, as a reader sees them."""

CONTROLS = {
    "shuffled_labels": "Labels shuffled between people",
    "within_female": "Labelled female, split at random",
    "within_male": "Labelled male, split at random",
}
QUESTIONS = {
    "sound": "Is the test sound?",
    "beyond_chance": "Is it significant?",
    "large_enough": "Is it large enough to count?",
    "more_than_styling": "Does that hold with styling held equal?",
    "tells_apart": "Do the averages predict the label?",
    "elsewhere": "Does it hold elsewhere?",
}


@dataclass(frozen=True)
class Size:
    """The largest of many effects, and what is known of it.

    Attributes
    ----------
    p_value
        Family-wise p value.
    g
        Hedges' g, in standard deviations.
    critical
        Value that the largest abs(g) of 5 % of the permutations exceeds: half a simultaneous interval.
    standard_error
        Standard error of a single g near 0.
    """

    p_value: float
    g: float
    critical: float
    standard_error: float

    @property
    def significant(self) -> bool:
        """Whether exchanged labels rarely give as large an effect anywhere."""
        return self.p_value < ALPHA

    @property
    def counts(self) -> bool:
        """Whether the effect is above the smallest that counts with its whole simultaneous interval."""
        return self.significant and abs(self.g) - self.critical > SMALLEST_EFFECT

    @property
    def negligible(self) -> bool:
        """Whether every effect is below the smallest that counts: equivalent, at the 5 % level.

        Two one-sided tests of the largest effect. All effects have to pass, and so none needs a correction
        (intersection-union test: Berger and Hsu, "Bioequivalence trials, intersection-union tests and equivalence
        confidence sets", Statistical Science 11, 1996).
        """
        return abs(self.g) + float(norm.ppf(1 - ALPHA)) * self.standard_error < SMALLEST_EFFECT


def is_sound(controls: dict[str, Control], false_positives: FalsePositives | None) -> bool:
    """Whether no control is significant and the false-positive rate is not significantly above the nominal one."""
    none_significant = all(control.p_value >= ALPHA / len(controls) for control in controls.values())
    return none_significant and (false_positives is None or false_positives.by_identity.interval[0] <= ALPHA)


def predicts(accuracy: AverageAccuracy) -> bool:
    """Whether a rule beats the more frequent label, and chance when both labels count alike, with whole intervals."""
    return accuracy.interval[0] > accuracy.majority and accuracy.balanced_interval[0] > 0.5


def criteria(
    *,
    sound: bool,
    size: Size,
    strictest: Size | None,
    accuracy: AverageAccuracy | None,
    elsewhere: bool | None,
) -> dict[str, bool | None]:
    """Answer the questions of the rule.

    Parameters
    ----------
    sound
        From `is_sound`.
    size
        The largest effect between averages of people.
    strictest
        The largest effect in the strictest comparison; None if nothing could be held equal.
    accuracy
        Of a rule made from averages, on unseen people; None if there is no test split.
    elsewhere
        Whether every other data set agrees; None without any.

    Returns
    -------
    dict
        Key of `QUESTIONS` -> whether the answer is yes; None where it could not be tested.
    """
    return {
        "sound": sound,
        "beyond_chance": size.significant,
        "large_enough": size.counts,
        "more_than_styling": None if strictest is None else strictest.counts,
        "tells_apart": None if accuracy is None else predicts(accuracy),
        "elsewhere": elsewhere,
    }


def decide(answers: dict[str, bool | None], size: Size) -> Verdict:
    """Apply the rule to one part.

    Parameters
    ----------
    answers
        As from `criteria`.
    size
        The largest effect between averages of people.

    Returns
    -------
    str
        "supported", "not worth speaking of", "no difference" or "inconclusive".
    """
    if not answers["sound"]:
        return "inconclusive"
    if size.negligible:
        return "not worth speaking of" if size.significant else "no difference"
    return "inconclusive" if any(holds is False for holds in answers.values()) else "supported"
