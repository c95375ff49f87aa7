"""The report's first page: three answers in a picture, a number and a sentence each, and the story behind them.

Pictures are SVG and WebP within the page, so that it reads without JavaScript and on paper.
"""

import base64
import io
import math
from html import escape
from statistics import NormalDist

import numpy as np
import xarray as xr
from PIL import Image

from analysis.core.schema import LABELS
from analysis.core.words import listed, p_value, percent
from analysis.figures import theme
from analysis.figures.answers import told_by_averages
from analysis.figures.datasheets import called
from analysis.figures.fairness import is_equal
from analysis.figures.html import PageHtml
from analysis.figures.lineage import test_photos
from analysis.figures.metrics import measured
from analysis.figures.samples import sample_buttons
from analysis.results import Results

WANTED = 0.75  # share of right predictions that the client asked for
_SCALE = 3  # pixels of a face's picture for each of the average


def overlap(g: float) -> float:
    """Share that two normal distributions have in common whose means are ``g`` standard deviations apart."""
    return 2 * NormalDist().cdf(-abs(g) / 2)


def as_served(results: Results) -> dict[str, int]:
    """Of 100 test photos: how many are answered right, wrong, or with "uncertain"; whole numbers whose sum is 100."""
    decided = results.metrics.splits["test"].decided
    right = decided.coverage * (decided.accuracy or 0)
    shares = {"right": right, "wrong": decided.coverage - right, "uncertain": 1 - decided.coverage}
    counts = {name: math.floor(100 * share) for name, share in shares.items()}
    for name in sorted(shares, key=lambda name: counts[name] - 100 * shares[name])[: 100 - sum(counts.values())]:
        counts[name] += 1
    return counts


def differ_sentence(results: Results) -> str:
    """Whether the averages differ, and how much two groups have in common at a typical place."""
    hypothesis = results.hypothesis
    opening = {
        "supported": "Yes, on average, and beyond chance",
        "not worth speaking of": "Beyond chance, but by less than is worth speaking of",
        "no difference": "No difference that would count was found",
        "inconclusive": "This data does not settle it",
    }[hypothesis.verdict]
    shades = f"{percent(overlap(hypothesis.mean_abs_g), 0)} of their range of brightness and colour in common"
    if not results.has_shape:
        return (
            f"{opening}. At a typical place of the picture, though, women and men have {shades}; in the "
            f"{hypothesis.largest_in_face.region}, where shades differ most, "
            f"{percent(overlap(hypothesis.largest_in_face.g), 0)}."
        )
    shape, distances = results.shape.comparisons[0], results.shape_distances
    own = distances[(distances["dataset"] == results.study.dataset) & (distances["comparison"] == shape.key)]
    shared = own.set_index("distance")["overlap"].loc[shape.largest]
    return (
        f"{opening}. In {shape.largest}, where shapes differ most, women and men have {percent(float(shared), 0)} of "
        f"their range in common, and at a typical place of the picture {shades}."
    )


def tell_sentence(results: Results) -> str:
    """What becomes of 100 photos, and for whom accuracy is lower."""
    counts = as_served(results)
    wrongly = counts["wrong"] or "fewer than one"  # rounded to 0, but nobody is never wrong
    wrong = "" if is_equal(results.groups) else " It is wrong about some groups more often."
    return (
        f"Of 100 of {test_photos(results)} the model answers {counts['right']} as annotators did and {wrongly} "
        f"otherwise; for {counts['uncertain']} it says “uncertain”.{wrong}"
    )


def target_sentence(results: Results) -> str:
    """Whether the client's target is met, on each data set."""
    metrics = results.metrics
    accuracies = {name: measured(metrics, "test", name).accuracy for name in metrics.datasets}
    met = [f"{called(name)} {percent(value)}" for name, value in accuracies.items() if value >= WANTED]
    missed = [f"{called(name)} {percent(value)}" for name, value in accuracies.items() if value < WANTED]
    parts = [f"met on {', '.join(met)}" if met else "", f"missed on {', '.join(missed)}" if missed else ""]
    return (
        f"At least {percent(WANTED, 0)} of predictions were to be right, without the answer “uncertain”; on test "
        "photos "
        f"this is {'; '.join(filter(None, parts))}."
    )


def cards_html(results: Results, *, in_browser: bool) -> PageHtml:
    """Three answers, each with a picture, a number and a sentence.

    Parameters
    ----------
    results
        The published run.
    in_browser
        Whether the page can predict by itself.
    """
    counts = as_served(results)
    faces = results.average_faces
    g = results.hypothesis.mean_abs_g
    use = (
        f'{_drop()}<div class="predictor-samples">{sample_buttons(results.samples, each=2)}</div>'
        '<p class="predictor-status" role="status"></p><div class="predictor-results"></div>'
        '<div class="predictor-tools" hidden><button type="button" class="predictor-csv btn btn-primary">CSV</button> '
        '<button type="button" class="predictor-clear btn btn-outline-secondary">Clear</button></div>'
        if in_browser
        else '<p>The <a href="predict.html">Predict page</a> says where photos can be tried.</p>'
    )
    module = '<script type="module" src="assets/predict.mjs"></script>' if in_browser else ""
    cards = [
        _card(
            "Do average faces differ?",
            f"{blend_html(faces)}",
            f"{percent(overlap(g), 0)} in common",
            differ_sentence(results),
            "hypothesis.html",
            "How it was tested",
        ),
        _card(
            "How well can a model tell?",
            waffle_svg(counts),
            f"{counts['right']} of 100 right",
            tell_sentence(results),
            "metrics.html",
            "How it was measured",
        ),
        _card(
            "What does it say of a photo?",
            use,
            "Try it here" if in_browser else "Try it",
            "The photo stays on your device." if in_browser else "",
            "predict.html",
            "More, and what to know first",
            'id="predictor"' if in_browser else "",
        ),
    ]
    return PageHtml(f'<div class="answers">{"".join(cards)}</div>{module}')


def _card(question: str, picture: str, number: str, sentence: str, link: str, link_text: str, more: str = "") -> str:
    return (
        f'<section class="answer" {more} aria-label="{escape(question, quote=True)}">'
        f'<h2 class="no-anchor">{escape(question)}</h2>'
        f'<div class="answer-picture">{picture}</div><p class="answer-number">{escape(number)}</p>'
        f'<p>{escape(sentence)}</p><p><a href="{link}">{escape(link_text)}</a></p></section>'
    )


def _drop() -> str:
    return (
        '<label class="predictor-drop"><strong>Choose a photo</strong> or drop it here'
        '<input type="file" accept="image/*" multiple></label>'
        '<p class="predictor-hint">or take a composite of many people:</p>'
    )


def _source(pixels: np.ndarray, scale: int = _SCALE) -> str:
    """Pixels, uint8 (y, x, 3), as the address of a picture within the page."""
    picture = Image.fromarray(pixels)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=82)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _average(faces: xr.Dataset, label: str) -> np.ndarray:
    mean = faces["mean"].sel(label=label).transpose("y", "x", "channel").to_numpy()
    return (255 * mean.clip(0, 1)).round().astype(np.uint8)


def blend_html(faces: xr.Dataset) -> str:
    """Average faces of both labels, one over the other, and a slider between them.

    Parameters
    ----------
    faces
        ``mean`` in [0, 1] (label, y, x, channel) and ``count`` (label).
    """
    pictures = "".join(
        f'<img src="{_source(_average(faces, label))}" width="267" height="327" '
        f'alt="Average of {int(faces["count"].sel(label=label)):,} faces labelled {label}">'
        for label in LABELS
        if label in faces["label"].values
    )
    return (
        f'<div class="blend"><div class="blend-faces">{pictures}</div><label><span>labelled female</span>'
        '<input type="range" min="0" max="100" value="50" aria-label="From the average labelled female to the average '
        'labelled male"><span>labelled male</span></label></div>'
    )


def waffle_svg(counts: dict[str, int]) -> str:
    """A hundred faces, coloured by what becomes of them.

    Parameters
    ----------
    counts
        Name -> number, as `as_served` gives.
    """
    kinds = [name for name, count in counts.items() for _ in range(count)]
    dots = "".join(
        f'<use href="#face" x="{24 * (place % 10)}" y="{24 * (place // 10)}" class="is-{kind}"/>'
        for place, kind in enumerate(kinds)
    )
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    key = "".join(f'<span class="is-{name}">{name} {count}</span>' for name, count in counts.items())
    return (
        f'<svg class="waffle" viewBox="0 0 240 240" role="img" aria-label="Of 100 photos: {said}"><defs><g id="face">'
        '<circle cx="12" cy="9" r="5.5"/><path d="M3 23c0-6 4-8 9-8s9 2 9 8z"/></g></defs>'
        f'{dots}</svg><p class="waffle-key" aria-hidden="true">{key}</p>'
    )


def bells_svg(g: float, name: str) -> str:
    """Two normal distributions that lie ``g`` standard deviations apart.

    Parameters
    ----------
    g
        Distance of the means.
    name
        What is distributed, for the alternative text.
    """
    x = np.linspace(-3.5, 3.5 + abs(g), 90)
    left, right = 20.0, 340.0

    def curve(mean: float) -> str:
        across = left + (x - x[0]) / (x[-1] - x[0]) * (right - left)
        up = 150 - 120 * np.exp(-((x - mean) ** 2) / 2)
        return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(across, up, strict=True)) + "Z"

    return (
        '<svg class="bells" viewBox="0 0 360 160" role="img" '
        f'aria-label="Two bell curves of {escape(name, quote=True)}, '
        f'{abs(g):.2f} standard deviations apart, which have {percent(overlap(g), 0)} in common">'
        f'<path class="bell is-female" d="{curve(0)}"/><path class="bell is-male" d="{curve(abs(g))}"/></svg>'
    )


def bars_svg(values: dict[str, float], unit: str) -> str:
    """Horizontal bars with their values, the first the longest side of the picture.

    Parameters
    ----------
    values
        Name -> value, not negative.
    unit
        What they are, for the alternative text.
    """
    most = max(values.values()) or 1.0
    rows = "".join(
        f'<text x="0" y="{46 * place + 15}">{escape(name)}</text><rect x="0" y="{46 * place + 21}" height="12" rx="2" '
        f'width="{max(2, 290 * value / most):.0f}"/><text class="value" x="{max(2, 290 * value / most) + 6:.0f}" '
        f'y="{46 * place + 32}">{value:.2f}</text>'
        for place, (name, value) in enumerate(values.items())
    )
    said = "; ".join(f"{name} {value:.2f}" for name, value in values.items())
    return (
        f'<svg class="bars" viewBox="0 0 340 {46 * len(values)}" role="img" '
        f'aria-label="{escape(f"{unit}: {said}", quote=True)}">{rows}</svg>'
    )


def map_html(effects: xr.Dataset, critical: float) -> str:
    """The effect in lightness, grey where it may be chance.

    Parameters
    ----------
    effects
        ``effect`` (channel, y, x).
    critical
        Effects up to it are grey.
    """
    values = effects["effect"].sel(channel="L").to_numpy()
    limit = max(float(np.nanmax(np.abs(values))), critical, 0.1)
    palette = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in theme.DIVERGING], np.uint8)
    place = np.clip(np.round((values / limit + 1) / 2 * (len(palette) - 1)), 0, len(palette) - 1).astype(int)
    pixels = palette[place]
    pixels[np.abs(values) <= critical] = (200, 198, 206)
    pixels = pixels if effects["y"][0] < effects["y"][-1] or "y" not in effects.coords else pixels[::-1]
    height, width = values.shape
    return (
        f'<img src="{_source(np.ascontiguousarray(pixels))}" width="{_SCALE * width}" height="{_SCALE * height}" '
        f'alt="Map of the difference in lightness: {theme.COLOUR_NAMES["male"]} is lighter where labelled male, '
        f'{theme.COLOUR_NAMES["female"]} where labelled female, grey may be chance">'
    )


def story_html(results: Results) -> PageHtml:
    """From two averages to one face, in steps: a question, what was found, and a picture that stays beside it."""
    hypothesis, test = results.hypothesis, results.metrics.splits["test"]
    faces = results.average_faces
    pair = "".join(
        f'<img src="{_source(_average(faces, label), 2)}" width="178" height="218" '
        f'alt="Average of faces labelled {label}">'
        for label in LABELS
        if label in faces["label"].values
    )
    face = hypothesis.largest_in_face
    comparisons = hypothesis.confounders.comparisons
    steps = [
        (
            "Two averages",
            f"Line up the eyes, noses and mouths of {results.study.images:,} portraits and average them, label by "
            "label. Two faces come out. Is what sets them apart a fact about faces, or an accident of these photos?",
            f'<div class="pair">{pair}</div>',
            ("faces.html", "Averages of any group"),
        ),
        (
            "Is it chance?",
            f"Give people their labels at random, {hypothesis.permutations:,} times: their averages then differ by "
            f"more than {hypothesis.critical_abs_g:.2f} standard deviations anywhere in one case of twenty. "
            f"With the true labels the largest difference within the face, in the {face.region}, is {abs(face.g):.2f} "
            f"({p_value(face.p_value, hypothesis.permutations)}); with one photo of each person it is "
            f"{comparisons[0].max_abs_g_face:.2f}.",
            map_html(results.effects, hypothesis.critical_abs_g),
            ("hypothesis.html#could-it-be-chance", "The test, and controls that could fail"),
        ),
    ]
    left = hypothesis.survives
    kinds = list(dict.fromkeys(each.kind for each in hypothesis.confounders.overlap))
    if left is not None:
        steps.append(
            (
                "Is it styling?",
                f"Labels may differ in more than faces; known here are {listed(kinds)}. In the strictest "
                f"comparison of people who are alike in these (“{left.title}”), {percent(left.share, 0)} of the "
                f"mean difference in the face remains ({percent(left.interval[0], 0)} to "
                f"{percent(left.interval[1], 0)}): "
                + ("a good part was styling." if left.interval[1] < 1 else "styling does not explain it.")
                + " The bars show the largest difference.",
                bars_svg({each.title: each.max_abs_g_face for each in comparisons}, "Largest difference in the face"),
                ("hypothesis.html#is-it-the-face-or-the-styling", "What was held equal"),
            )
        )
    if results.has_shape and results.has_shape_free:
        steps.append(_shape_step(results))
    nearest = hypothesis.nearest_average
    tells = told_by_averages(nearest).capitalize()
    counts = results.labels.query("split == @nearest.split").set_index("label")["images"]
    steps.append(
        (
            "Does it tell anything about one face?",
            f"{tells}. On {called(results.study.dataset)}’s test photos the nearer average is the right one for "
            f"{percent(nearest.accuracy)}; "
            f"always naming the more frequent label is right for {percent(counts.max() / counts.sum())}. A network, "
            f"which looks at many features together, is right for {percent(test.accuracy)}, and still does not know "
            "who anybody is.",
            bells_svg(hypothesis.mean_abs_g, "a typical pixel of faces labelled female and male"),
            ("hypothesis.html#does-it-tell-people-apart", "Averages against a network"),
        )
    )
    parts = "".join(
        f'<section class="step"><div class="step-text"><h3 class="no-anchor">{escape(title)}</h3><p>{escape(text)}</p>'
        f'<p><a href="{link}">{escape(name)}</a></p></div><div class="step-picture">{picture}</div></section>'
        for title, text, picture, (link, name) in steps
    )
    return PageHtml(f'<div class="story">{parts}</div>')


def _shape_step(results: Results) -> tuple[str, str, str, tuple[str, str]]:
    """Whether the faces differ in shape, as a step of `story_html`."""
    free = results.shape_free
    of = list(zip(free["shape_of"].values.tolist(), free["texture_of"].values.tolist(), strict=True))
    pair = "".join(
        f'<img src="{_source(free["picture"].to_numpy()[of.index((place, place))], 1)}" width="178" height="218" '
        f'alt="Shape-free average of faces labelled {label}">'
        for place, label in enumerate(LABELS)
    )
    widest, strictest = results.shape.comparisons[0], results.shape.comparisons[-1]
    return (
        "Is it shape?",
        f"Find the same {results.shape_maps.sizes['point']} points in every face, turn heads to the front and measure. "
        f"{widest.largest.capitalize()} differs most, by {abs(widest.g):.2f} standard deviations between people "
        f"({p_value(widest.p_value, widest.permutations)}). Where styling, age, pose and smile are the same, "
        f"{strictest.largest} differs by {abs(strictest.g):.2f} "
        f"({p_value(strictest.p_value, strictest.permutations)}). These averages are of faces that were warped to one "
        "shape first.",
        f'<div class="pair">{pair}</div>',
        ("shape.html", "The shape of faces"),
    )
