"""What the model looks at: average attribution maps over average faces, and their faithfulness."""

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.errors import UserError
from analysis.core.words import percent, signed
from analysis.figures import theme
from analysis.figures.faces import side_by_side
from analysis.figures.guide import guided
from analysis.figures.rows import points

_HOT = np.array([*bytes.fromhex(theme.HEAT[1:])]) / 255
_ORDER_COLOURS = {
    "explanation": theme.CATEGORIES[0],
    "centre first": theme.CATEGORIES[1],
    "random patches": theme.QUIET,
}


def _heat(explanation: xr.Dataset) -> np.ndarray:
    """Positive heat as a share of the hottest pixel, (label, y, x)."""
    if not explanation.sizes["label"]:
        raise UserError("too few faces were explained for an average: evaluate on a larger test split")
    heat = explanation["heat"].to_numpy().clip(0)
    return heat / max(float(heat.max()), 1e-9)


@guided(
    "The maps lie over average faces. Violet pixels change the prediction most when they change, grey ones hardly.",
    view="metrics?view=explanation",
)
def heat_maps(explanation: xr.Dataset) -> hv.Overlay:
    """Average attribution over the average grey face of either prediction; violet pixels matter most.

    Parameters
    ----------
    explanation
        ``heat`` (label, y, x), ``face`` in [0, 1] (label, y, x, channel) and ``count`` (label).

    Raises
    ------
    UserError
        If no average is over 16 faces or more.
    """
    strength = 0.9 * _heat(explanation)[..., None]
    grey = (explanation["face"].to_numpy() @ np.array([0.299, 0.587, 0.114]))[..., None]
    pixels = (1 - strength) * (0.25 + 0.75 * grey) + strength * _HOT
    names = [
        f"predicted {label}\nn = {count:,}"
        for label, count in zip(explanation["label"].values, explanation["count"].values.tolist(), strict=True)
    ]
    return side_by_side(dict(zip(names, pixels, strict=True)), "What does the model look at?")


def heat_maps_reading(explanation: xr.Dataset) -> str:
    """Concentration and place of the attribution.

    Raises
    ------
    UserError
        If no average is over 16 faces or more.
    """
    heat = _heat(explanation)
    parts = []
    for index, label in enumerate(explanation["label"].values):
        ranked = np.sort(heat[index], axis=None)[::-1]
        half = (np.searchsorted(np.cumsum(ranked), ranked.sum() / 2) + 1) / ranked.size
        y, x = np.unravel_index(heat[index].argmax(), heat[index].shape)
        row = ("upper", "middle", "lower")[int(3 * y / heat.shape[1])]
        column = ("left", "centre", "right")[int(3 * x / heat.shape[2])]
        parts.append(
            f"for “{label}” half of the attribution lies in {percent(half, 0)} of the picture, its maximum in the "
            f"{row} third, {column}"
        )
    return (
        f"Over {int(explanation['count'].sum()):,} test faces, {'; '.join(parts)}. Attribution is what a pixel adds "
        "to the score when it is shown instead of blurred; each picture is an average and shows no real person."
    )


@guided(
    "Both pictures lie over the same average face; the stronger the violet, the more the averages differ there, or the "
    "more the model goes by it. Where only the left one is violet, labels differ in what the model hardly uses.",
    view="metrics?view=explanation",
)
def looks_and_differs(explanation: xr.Dataset, effects: xr.Dataset) -> hv.Overlay:
    """Where averages differ and where the model looks, side by side over the average face.

    Parameters
    ----------
    explanation
        As in `heat_maps`.
    effects
        ``effect`` (channel, y, x): Hedges' g.

    Raises
    ------
    UserError
        If no average is over 16 faces or more, or the two have another size.
    """
    differs, looks = _differs_and_looks(explanation, effects)
    grey = (explanation["face"].mean("label").to_numpy() @ np.array([0.299, 0.587, 0.114]))[..., None]

    def over_face(strength: np.ndarray) -> np.ndarray:
        amount = 0.9 * (strength / max(float(strength.max()), 1e-9))[..., None]
        return np.asarray((1 - amount) * (0.25 + 0.75 * grey) + amount * _HOT)

    pictures = {"averages differ\nlargest |g|": over_face(differs), "the model looks\nattribution": over_face(looks)}
    return side_by_side(pictures, "Looks where they differ?")


def looks_and_differs_reading(explanation: xr.Dataset, effects: xr.Dataset) -> str:
    """How much of the attribution lies where averages differ most, and how both rank the pixels.

    Raises
    ------
    UserError
        As in `looks_and_differs`.
    """
    differs, looks = (pd.Series(values.ravel()) for values in _differs_and_looks(explanation, effects))
    most = differs >= differs.quantile(1 - _MOST)
    held = float(looks[most].sum() / max(looks.sum(), 1e-9))
    said = "The model does not look where averages differ most"
    if held > most.mean():
        said = f"The model looks {'' if held > _TWICE * most.mean() else 'a little more '}where averages differ"
    share = percent(float(most.mean()), 0)
    ranks = differs.corr(looks, method="spearman")
    return (
        f"{said}: the {share} of the picture in which they differ most hold {percent(held, 0)} of its attribution. "
        + ("" if pd.isna(ranks) else f"Over all pixels, the two have a rank correlation of {signed(float(ranks))}. ")
        + "A difference of averages in hair, clothes or background can be large and yet be of little use for one face."
    )


_MOST = 0.1  # share of the picture that counts as differing most
_TWICE = 2  # times that share of the attribution is a clear preference


def _differs_and_looks(explanation: xr.Dataset, effects: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Largest abs(g) of any channel, and mean positive attribution, (y, x)."""
    heat = _heat(explanation).mean(axis=0)
    effect = np.nan_to_num(np.abs(effects["effect"].to_numpy())).max(axis=0)
    if heat.shape != effect.shape:
        raise UserError("attribution and effects have another size: run `meanface study` and `evaluate` again")
    return effect, heat


def _panel(explanation: xr.Dataset, walk: str, **options: Any) -> hv.Overlay:
    layers = []
    tips = [("order", "@order"), ("pixels", "@share{0} %"), ("probability", "@probability{0.0} %")]
    for order in map(str, explanation["order"].values):
        table = pd.DataFrame(
            {
                "share": 100 * explanation["share"].to_numpy(),
                "probability": 100 * explanation["probability"].sel(walk=walk, order=order).to_numpy(),
                "order": order,
            }
        )
        colour = _ORDER_COLOURS[order]
        layers += [
            hv.Curve(table, "share", "probability", label=order).opts(color=colour),
            points(table, "share", "probability", tips, color=colour, size=5),
        ]
    return hv.Overlay(layers).opts(
        **theme.chart(ylabel="Probability of prediction (%)", xlim=(-2, 102), show_grid=True, max_width=680, **options)
    )


@guided(
    "Above, pixels are blurred, those that the maps call important first; below, they are uncovered. If the maps "
    "are right, the line of the most important pixels falls first above and rises first below, and random pixels "
    "lie between.",
    view="metrics?view=explanation",
)
def faithfulness(explanation: xr.Dataset) -> hv.Layout:
    """Probability of the predicted label as pixels are blurred (above) or shown (below), in several orders.

    Parameters
    ----------
    explanation
        ``probability`` (walk, order, share) in [0, 1].
    """
    deletion = _panel(
        explanation,
        "deletion",
        title="Is the explanation faithful?",
        xlabel="Pixels blurred (%)",
        height=270,
        **theme.legend(columns=2),
    )
    insertion = _panel(explanation, "insertion", title="", xlabel="Pixels shown (%)", height=240, show_legend=False)
    return (
        hv.Layout([deletion, insertion])
        .cols(1)
        .opts(sizing_mode="stretch_width", toolbar=None, shared_axes=False, merge_tools=False)
    )


def faithfulness_reading(explanation: xr.Dataset) -> str:
    """Areas under the curves, and whether the explanation beats both baselines."""
    parts, better = [], True
    for walk, goal in (("deletion", "less"), ("insertion", "more")):
        area = explanation["area"].sel(walk=walk)
        others = [str(order) for order in explanation["order"].values if order != "explanation"]
        rest = ", ".join(f"{percent(float(area.sel(order=order)))} {order}" for order in others)
        parts.append(
            f"{walk} ({goal} is better): {percent(float(area.sel(order='explanation')))} hottest first, {rest}"
        )
        better &= bool((explanation["advantage_low"].sel(walk=walk, order=others) > 0).all())
    verdict = (
        "the explanation is significantly better than both baselines"
        if better
        else "the explanation is not significantly better than every baseline"
    )
    return f"Mean probability of the predicted label, {'; '.join(parts)}: {verdict}."
