"""The three questions of the study and their answers, in sentences computed from the stored numbers."""

import pandas as pd

from analysis.core.words import p_value, percent
from analysis.hypothesis.verdict import QUESTIONS
from analysis.results import Results


def prediction_answer(results: Results) -> str:
    """Accuracy of the predicted labels on people the model has not seen."""
    test = results.metrics.splits["test"]
    low, high = test.accuracy_interval
    decided = test.decided
    return (
        f"On {test.images:,} photos of unseen people, the model agrees with the annotators in "
        f"{percent(test.accuracy)} of cases (95 % interval {percent(low)} to {percent(high)}); it answers "
        f"“uncertain” for {percent(1 - decided.coverage)} and is right in {percent(decided.accuracy or 0)} of "
        "the others."
    )


def hypothesis_answer(results: Results) -> str:
    """Whether the average faces differ, how much of that is styling, and how well averages predict the label."""
    hypothesis = results.hypothesis
    people, face = sum(hypothesis.identities.values()), hypothesis.largest_in_face
    opening = {
        "supported": "The average faces of women and men differ significantly",
        "not supported": "The average faces of women and men do not differ significantly",
        "inconclusive": "Whether the average faces of women and men differ is not settled by this data",
    }[hypothesis.verdict]
    sentences = [
        f"{opening} (largest effect within the face |g| = {abs(face.g):.2f}, {p_value(face.p_value)} over "
        f"{hypothesis.permutations:,} permutations of the labels of {people:,} people)."
    ]
    left = hypothesis.survives
    if left is not None:
        low, high = left.interval
        styling = "Styling is part of it" if high < 1 else "Styling does not explain it"
        sentences.append(
            f"{styling}: in the strictest matched comparison, {percent(left.share, 0)} of the difference in the "
            f"face remains (95 % interval {percent(low, 0)} to {percent(high, 0)})."
        )
    sentences.append(
        "Averages alone predict the label of one face poorly: the nearer average is the right one for "
        f"{percent(hypothesis.nearest_average.accuracy)} of unseen faces."
    )
    return " ".join(sentences)


def verdict_reasons(results: Results) -> list[tuple[str, str, str]]:
    """Question, answer ("yes", "no" or "not tested") and numbers of each criterion of the verdict."""
    hypothesis = results.hypothesis
    face, false_positives, left = (
        hypothesis.largest_in_face,
        hypothesis.false_positives.by_identity,
        hypothesis.survives,
    )
    smallest = min(control.p_value for control in hypothesis.controls.values())
    nearest = hypothesis.nearest_average
    details = {
        "sound": f"smallest {p_value(smallest)} of {len(hypothesis.controls)} controls; false positives in "
        f"{percent(false_positives.rate)} of {false_positives.splits} random splits (95 % interval "
        f"{percent(false_positives.interval[0])} to {percent(false_positives.interval[1])})",
        "beyond_chance": f"|g| = {abs(face.g):.2f} in the {face.region}, {p_value(face.p_value)}",
        "more_than_styling": "nothing could be matched"
        if left is None
        else f"{percent(left.share, 0)} of the difference in the face remains ({percent(left.interval[0], 0)} to "
        f"{percent(left.interval[1], 0)}), {p_value(left.p_value)}",
        "tells_apart": f"the nearer average is right for {percent(nearest.accuracy)} "
        f"({percent(nearest.interval[0])} to {percent(nearest.interval[1])})",
        "elsewhere": _least_alike(results.elsewhere.query("kind == 'all' and channel == 'all'")),
    }
    answers = {True: "yes", False: "no", None: "not tested"}
    return [(question, answers[hypothesis.criteria[key]], details[key]) for key, question in QUESTIONS.items()]


def verdict_table(results: Results) -> pd.DataFrame:
    """Answer and numbers of each criterion of the verdict, by its question."""
    rows = verdict_reasons(results)
    index = pd.Index([question for question, _, _ in rows], name="Question")
    return pd.DataFrame({"Answer": [row[1] for row in rows], "Numbers": [row[2] for row in rows]}, index=index)


def _least_alike(whole: pd.DataFrame) -> str:
    """The data set with the lowest correlation over all channels, which decides whether the criterion holds."""
    if whole.empty:
        return "no other data set was compared"
    least = whole.loc[whole["low"].idxmin()]
    among = f", the lowest of {len(whole)} data sets" if len(whole) > 1 else ""
    return (
        f"{least['dataset']}: r = {least['correlation']:.2f} ({least['low']:.2f} to {least['high']:.2f}) over "
        f"lightness and colours{among}"
    ).replace("-", "−")


def api_answer(results: Results) -> str:
    """What the API returns, and the size of the model."""
    metrics = results.metrics
    return (
        "One POST request with one or more photos returns every detected face with its perceived gender and a "
        f"calibrated probability; the model is a file of {metrics.serving_bytes / 1e6:.1f} MB with "
        f"{metrics.parameters:,} parameters that needs no graphics card."
    )
