"""The three questions of the study and their answers, in sentences computed from the stored numbers."""

import pandas as pd
from scipy.stats import norm

from analysis.core.words import listed, number, p_value, percent
from analysis.figures.datasheets import called
from analysis.figures.lineage import test_photos
from analysis.figures.metrics import measured, pooled_accuracy
from analysis.hypothesis.regions import REGIONS
from analysis.hypothesis.verdict import LEAST_CORRELATION, QUESTIONS, SMALLEST_EFFECT
from analysis.results import Results
from analysis.results.records import AverageAccuracy, HypothesisRecord, MetricsRecord

_WELL = 0.9  # accuracy of the nearer average from which it predicts the label well


def told_by_averages(nearest: AverageAccuracy) -> str:
    """How much the nearer average tells of the label of one face: "much", "little" or "nothing" beyond chance."""
    if nearest.interval[0] <= nearest.majority:
        return "nothing"
    return "much" if nearest.accuracy >= _WELL else "little"


def prediction_answer(results: Results) -> str:
    """Accuracy of the predicted labels on people the model has not seen."""
    test = results.metrics.splits["test"]
    low, high = test.accuracy_interval
    decided = test.decided
    return (
        f"On {test.images:,} of {test_photos(results)} the model agrees with the annotators in "
        f"{percent(test.accuracy)} of cases (95 % interval {percent(low)} to {percent(high)}); it answers "
        f"“uncertain” for {percent(1 - decided.coverage)} and is right in {percent(decided.accuracy or 0)} of "
        f"the others. {on_every_source(results.metrics)}"
    ).strip()


def on_every_source(metrics: MetricsRecord) -> str:
    """Accuracy on the test photos of all data sets together; empty where there is one."""
    if len(metrics.datasets) < 2:
        return ""
    parts = [measured(metrics, "test", name) for name in metrics.datasets]
    images = sum(part.images for part in parts)
    names = listed([called(name) for name in metrics.datasets])
    return f"Over all {images:,} test photos of {names} it is right in {percent(pooled_accuracy(parts))}."


_OPENINGS = {
    "supported": "The average faces of women and men differ",
    "not worth speaking of": "The average faces of women and men differ by less than is worth speaking of",
    "no difference": "The average faces of women and men do not differ",
    "inconclusive": "Whether the average faces of women and men differ is not settled by this data",
}


def hypothesis_answer(results: Results) -> str:
    """Whether the average faces differ in shape and shade, what survives, and how well averages predict the label."""
    hypothesis = results.hypothesis
    people = sum(hypothesis.identities.values())
    sentences = [f"{_OPENINGS[hypothesis.verdict]} ({people:,} people)."]
    if hypothesis.shape is not None:
        people_first, photos, *_, last = results.shape.comparisons
        p = p_value(people_first.p_value, people_first.permutations)
        sentences.append(
            f"Shape, {hypothesis.shape}: averages of people differ most in {people_first.largest} "
            f"(g = {number(people_first.g)}, {p}), single photos in {photos.largest} as photographed "
            f"(g = {number(photos.g)}) and in {last.largest} with all else held equal (g = {number(last.g)})."
        )
    plain, strictest = hypothesis.confounders.comparisons[0], hypothesis.confounders.comparisons[-1]
    shade = (
        f"Shade, {hypothesis.shade}: in single photos the largest effect within the face is "
        f"|g| = {plain.max_abs_g_face:.2f} as photographed"
    )
    left = hypothesis.survives
    if left is not None:
        shade += f" and {strictest.max_abs_g_face:.2f} with styling held equal"
    shared = 2 * norm.cdf(-hypothesis.mean_abs_g / 2)
    sentences.append(f"{shade}; pixel by pixel the two labels’ distributions share {percent(shared, 0)} on average.")
    if left is not None:
        low, high = left.interval
        styling = "Styling is part of it" if high < 1 else "Styling does not explain it"
        sentences.append(
            f"{styling}: in the strictest matched comparison, {percent(left.share, 0)} of the difference in the "
            f"face remains (95 % interval {percent(low, 0)} to {percent(high, 0)})."
        )
    nearest = hypothesis.nearest_average
    words = {"much": "well", "little": "poorly", "nothing": "no better than always giving one answer does"}
    tells = words[told_by_averages(nearest)]
    sentences.append(
        f"Averages of aligned faces predict the label of one face {tells}: the nearer average is the right one for "
        f"{percent(nearest.accuracy)} of test faces, where always giving the more frequent label is right for "
        f"{percent(nearest.majority)}."
    )
    return " ".join(sentences)


def verdict_reasons(results: Results) -> list[tuple[str, str, str]]:
    """Question, answer ("yes", "no" or "not tested") and numbers of each question of the rule, for the shade."""
    hypothesis = results.hypothesis
    face, strictest = hypothesis.largest_in_face, hypothesis.confounders.comparisons[-1]
    left = hypothesis.survives
    details = {
        "sound": _soundness(hypothesis),
        "beyond_chance": f"|g| = {abs(face.g):.2f} in the {face.region}, the largest of averages of people, "
        f"{p_value(face.p_value, hypothesis.permutations)}",
        "large_enough": _at_least(face.g, hypothesis.critical_abs_g),
        "more_than_styling": "nothing could be matched"
        if left is None
        else f"|g| = {strictest.max_abs_g_face:.2f}, "
        f"{p_value(left.p_value, hypothesis.control_permutations)}; "
        f"{_at_least(strictest.max_abs_g_face, strictest.critical_abs_g_face)}; {percent(left.share, 0)} of the mean "
        f"difference in the face remains ({percent(left.interval[0], 0)} to {percent(left.interval[1], 0)})",
        "tells_apart": f"the nearer average is right for {_against_majority(hypothesis.nearest_average)}",
        "elsewhere": _least_alike(results.elsewhere.query("kind == 'all' and channel == 'all'")),
    }
    return _answered(hypothesis.criteria, details)


def shape_reasons(results: Results) -> list[tuple[str, str, str]]:
    """The same for the shape; empty where it was not measured."""
    hypothesis = results.hypothesis
    if hypothesis.shape_criteria is None:
        return []
    shape = results.shape
    first, last = shape.comparisons[0], shape.comparisons[-1]
    there = results.shape_distances.query("comparison == 'people' and distance == @first.largest").set_index("dataset")
    elsewhere = ", ".join(f"g = {number(there['g'][name])} in {name}" for name in shape.elsewhere)
    details = {
        "sound": "as for the shade",
        "beyond_chance": f"g = {number(first.g)} in {first.largest}, {p_value(first.p_value, first.permutations)}",
        "large_enough": _at_least(first.g, first.critical),
        "more_than_styling": f"{last.title[0].lower()}{last.title[1:]}: g = {number(last.g)} in {last.largest}, "
        f"{p_value(last.p_value, last.permutations)}; {_at_least(last.g, last.critical)}",
        "tells_apart": "there is no test split"
        if shape.accuracy is None
        else f"a linear discriminant of the distances is right for {_against_majority(shape.accuracy)}",
        "elsewhere": f"{first.largest}: {elsewhere}" if elsewhere else "no other data set was compared",
    }
    return _answered(hypothesis.shape_criteria, details)


def _answered(criteria: dict[str, bool | None], details: dict[str, str]) -> list[tuple[str, str, str]]:
    answers = {True: "yes", False: "no", None: "not tested"}
    return [(question, answers[criteria[key]], details[key]) for key, question in QUESTIONS.items()]


def _soundness(hypothesis: HypothesisRecord) -> str:
    smallest = min(control.p_value for control in hypothesis.controls.values())
    rate = hypothesis.false_positives.by_identity
    return (
        f"smallest {p_value(smallest)} of {len(hypothesis.controls)} controls; false positives in "
        f"{percent(rate.rate)} of {rate.splits} random splits (95 % interval {percent(rate.interval[0])} to "
        f"{percent(rate.interval[1])})"
    )


def lower_end(g: float, critical: float) -> str:
    """Lower end of the simultaneous interval of abs(g), with a digit more where two hide on which side of 0.2 it is."""
    low = max(0.0, abs(g) - critical)
    return f"{low:.3f}" if f"{low:.2f}" == f"{SMALLEST_EFFECT:.2f}" else f"{low:.2f}"


def _at_least(g: float, critical: float) -> str:
    return f"at least {lower_end(g, critical)} with its simultaneous interval, where {SMALLEST_EFFECT} counts"


def _against_majority(accuracy: AverageAccuracy) -> str:
    low, high = accuracy.interval
    return (
        f"{percent(accuracy.accuracy)} ({percent(low)} to {percent(high)}), where the more frequent label is for "
        f"{percent(accuracy.majority)}; {percent(accuracy.balanced)} if both labels count alike "
        f"({percent(accuracy.balanced_interval[0])} to {percent(accuracy.balanced_interval[1])})"
    )


def shown_verdict(results: Results) -> str:
    """The verdict, and those on its parts."""
    hypothesis = results.hypothesis
    shape = hypothesis.shape or "not measured"
    return f"{hypothesis.verdict} (shape: {shape}; shade: {hypothesis.shade})"


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
        f"{least['dataset']}: r = {number(least['correlation'])} ({number(least['low'])} to {number(least['high'])}) "
        f"over lightness and colours, where {LEAST_CORRELATION} counts{among}"
    )


def where_most(results: Results) -> str:
    """Why single places, whole parts and distances between landmarks name different parts as those that differ most."""
    hypothesis, regions = results.hypothesis, results.regions
    whole = regions[(regions["channel"] == "all") & regions["region"].isin(list(REGIONS))]
    part = whole.loc[whole["mean_abs_g"].idxmax()]
    face = hypothesis.largest_in_face
    measures = [
        f"a single place in the {face.region} (|g| = {abs(face.g):.2f})",
        f"as a whole part the {part['region']} (|g| = {part['mean_abs_g']:.2f}, the mean over its area, where places "
        "that differ little count as well)",
    ]
    if results.has_shape and hypothesis.shape is not None:
        first = results.shape.comparisons[0]
        measures.append(f"of all distances {first.largest} (|g| = {abs(first.g):.2f}, form and not shade)")
    return f"What differs most depends on what is compared: {'; '.join(measures)}."


def api_answer(results: Results) -> str:
    """What the API returns, and the size of the model."""
    metrics = results.metrics
    return (
        "One POST request with one or more photos returns every detected face with its perceived gender and a "
        f"calibrated probability; the model is a file of {metrics.serving_bytes / 1e6:.1f} MB with "
        f"{metrics.parameters:,} parameters that needs no graphics card."
    )
