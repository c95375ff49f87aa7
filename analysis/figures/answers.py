"""The client's three questions and their answers, in sentences made from the stored numbers.

Knows a run's results; knows nothing of pages. The report's home page and the explorer both show them.
"""

from analysis.core.words import p_value, percent
from analysis.hypothesis.verdict import QUESTIONS
from analysis.results import Results


def prediction_answer(results: Results) -> str:
    """How well perceived gender is predicted from a photo, on people the model never saw."""
    test = results.metrics["splits"]["test"]
    low, high = test["accuracy_interval"]
    decided = test["decided"]
    return (
        f"On {test['images']:,} photos of people it never saw, the model agrees with the annotators in "
        f"{percent(test['accuracy'])} of cases (95 % interval {percent(low)} to {percent(high)}); it answers "
        f"“uncertain” for {percent(1 - decided['coverage'])} and is then right in {percent(decided['accuracy'] or 0)} "
        "of the rest."
    )


def hypothesis_answer(results: Results) -> str:
    """Whether the average faces differ, how much of that is styling, and how much of one face it tells."""
    found = results.hypothesis
    people, face = sum(found["identities"].values()), found["largest_in_face"]
    opening = {
        "supported": "The average faces of women and men differ beyond what chance gives",
        "not supported": "The average faces of women and men do not differ beyond what chance gives",
        "inconclusive": "Whether the average faces of women and men differ is not settled by this data",
    }[found["verdict"]]
    sentences = [
        f"{opening} (largest effect within the face |g| = {abs(face['g']):.2f}, {p_value(face['p_value'])} over "
        f"{found['permutations']:,} exchanges of labels between {people:,} people)."
    ]
    left = found["survives"]
    if left is not None:
        low, high = left["interval"]
        styling = "Styling is part of it" if high < 1 else "Styling does not explain it"
        sentences.append(
            f"{styling}: with as much held equal as can be, {percent(left['share'], 0)} of the difference in the face "
            f"is left (95 % interval {percent(low, 0)} to {percent(high, 0)})."
        )
    sentences.append(
        "And averages alone say little of one face: the nearer average is the right one in only "
        f"{percent(found['nearest_average']['accuracy'])} of cases."
    )
    return " ".join(sentences)


def verdict_reasons(results: Results) -> list[tuple[str, str, str]]:
    """Question, answer ("yes", "no" or "not tested") and the numbers of each point that the verdict rests on."""
    found = results.hypothesis
    face, alarms, left = found["largest_in_face"], found["false_positives"]["by_identity"], found["survives"]
    quiet = min(control["p_value"] for control in found["controls"].values())
    nearest = found["nearest_average"]
    whole = results.elsewhere.query("kind == 'all' and channel == 'all'")
    details = {
        "sound": f"smallest p of {len(found['controls'])} controls {quiet:.3f}; false alarms "
        f"{percent(alarms['rate'])} of {alarms['splits']} (95 % interval {percent(alarms['interval'][0])} to "
        f"{percent(alarms['interval'][1])})",
        "beyond_chance": f"|g| = {abs(face['g']):.2f} in the {face['region']}, {p_value(face['p_value'])}",
        "more_than_styling": "nothing could be held equal"
        if left is None
        else f"{percent(left['share'], 0)} of the difference in the face is left ({percent(left['interval'][0], 0)} to "
        f"{percent(left['interval'][1], 0)}), {p_value(left['p_value'])}",
        "tells_apart": f"the nearer average is right for {percent(nearest['accuracy'])} "
        f"({percent(nearest['interval'][0])} to {percent(nearest['interval'][1])})",
        "elsewhere": "; ".join(
            f"{row.dataset}: r = {row.correlation:.2f} ({row.low:.2f} to {row.high:.2f})" for row in whole.itertuples()
        ).replace("-", "−")
        or "no other data set was compared",
    }
    said = {True: "yes", False: "no", None: "not tested"}
    return [(question, said[found["criteria"][key]], details[key]) for key, question in QUESTIONS.items()]


def api_answer(results: Results) -> str:
    """What a program gets."""
    metrics = results.metrics
    return (
        "One POST with one or more photos answers with every face found, its perceived gender and a calibrated "
        f"probability; the model behind it is a file of {metrics['serving_bytes'] / 1e6:.1f} MB with "
        f"{metrics['parameters']:,} parameters that needs no graphics card."
    )


def key_numbers(results: Results) -> dict[str, str]:
    """Four numbers that sum the study up, by what they are."""
    found, test = results.hypothesis, results.metrics["splits"]["test"]
    return {
        "faces studied": f"{results.study['images']:,}",
        "of unseen faces predicted as annotated": percent(test["accuracy"]),
        "largest difference within the face, Hedges’ g": f"{abs(found['largest_in_face']['g']):.2f}",
        "of the picture differs beyond chance": percent(found["area_significant"], 0),
    }


def key_numbers_html(results: Results) -> str:
    """`key_numbers` as a definition list for the report's style sheet."""
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in key_numbers(results).items())
    return f'<dl class="key-numbers">{items}</dl>'
