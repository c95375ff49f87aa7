"""The client's three questions and their answers, in sentences made from the stored numbers.

Knows a run's results; knows nothing of pages. The report's home page and the explorer both show them.
"""

from analysis.results import Results


def percent(share: float, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage."""
    return f"{share:.{digits}%}".replace("%", " %")


def p_value(value: float) -> str:
    """Write a p value with the digits that its permutations allow."""
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"


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
    """Whether the average faces differ, and how much of a face that tells."""
    found = results.hypothesis
    people = sum(found["identities"].values())
    nearest = found["nearest_average"]
    opening = {
        "supported": "The average faces of women and men differ beyond what chance gives",
        "not supported": "The average faces of women and men do not differ beyond what chance gives",
        "inconclusive": "Whether the average faces of women and men differ is not settled by this data",
    }[found["verdict"]]
    return (
        f"{opening} (largest effect |g| = {found['max_abs_g']:.2f}, {p_value(found['p_value'])} over "
        f"{found['permutations']:,} exchanges of labels between {people:,} people), yet averages alone say little of "
        f"one face: the nearer average is the right one in only {percent(nearest['accuracy'])} of cases."
    )


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
        "largest difference between the averages, Hedges’ g": f"{found['max_abs_g']:.2f}",
        "of the picture differs beyond chance": percent(found["area_significant"], 0),
    }


def key_numbers_html(results: Results) -> str:
    """`key_numbers` as a definition list for the report's style sheet."""
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in key_numbers(results).items())
    return f'<dl class="key-numbers">{items}</dl>'
