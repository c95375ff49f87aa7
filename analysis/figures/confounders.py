"""Face or styling: how much of the difference remains in matched comparisons, and how well they are balanced."""

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.words import p_value, percent
from analysis.figures import theme
from analysis.figures.answers import lower_end
from analysis.figures.attributes import attribute_name
from analysis.figures.guide import guided
from analysis.figures.html import View
from analysis.figures.hypothesis import CHANNEL_NAMES, chance_marks, maps_side_by_side
from analysis.figures.rows import in_percent, intervals, points, row_chart, two_lines
from analysis.figures.theme import CATEGORIES, LABEL_COLOURS
from analysis.hypothesis.regions import REGIONS, face_pixels
from analysis.results.records import ComparisonRecord, HypothesisRecord

BALANCED = 0.1  # standardised difference below which a covariate is called balanced (Austin 2009)
_PLAIN = {  # attributes in plain words
    "5_o_Clock_Shadow": "stubble",
    "Heavy_Makeup": "heavy make-up",
    "Wearing_Lipstick": "lipstick",
    "Wearing_Hat": "hat",
    "Mouth_Slightly_Open": "mouth open",
}


def plain_name(attribute: str) -> str:
    """Attribute in plain words."""
    return _PLAIN.get(attribute, attribute_name(attribute).lower())


def _titles(hypothesis: HypothesisRecord) -> dict[str, str]:
    return {comparison.key: comparison.title for comparison in hypothesis.confounders.comparisons}


def _strictest(table: pd.DataFrame, hypothesis: HypothesisRecord) -> pd.DataFrame:
    return table[table["comparison"] == list(_titles(hypothesis))[-1]]


@guided(
    "From top to bottom more is held equal between the labels. Where the points stay right of chance, what is "
    "held equal does not explain the difference; bars are 95 % intervals.",
    view="hypothesis?view=more_than_styling",
)
def steps_chart(confounders: pd.DataFrame, hypothesis: HypothesisRecord, region: str = "face") -> hv.Overlay:
    """Mean abs(g) of one part in increasingly strict comparisons, with intervals.

    Parameters
    ----------
    confounders
        ``comparison, region, mean_abs_g, low, high, by_chance, survives``.
    hypothesis
        ``hypothesis.json``.
    region
        A part, "face" or "whole picture".
    """
    titles = {key: two_lines(title) for key, title in _titles(hypothesis).items()}
    chosen = confounders[confounders["region"] == region]
    table = in_percent(chosen.assign(row=chosen["comparison"].map(titles)), "survives")
    tips = [
        ("mean |g|", "@mean_abs_g{0.000}"),
        ("95 % interval", "@low{0.000} to @high{0.000}"),
        ("remains", "@survives{0} %"),
        ("by chance", "@by_chance{0.000}"),
    ]
    return row_chart(
        [chance_marks(table), intervals(table, "mean_abs_g", "row", tips, color=CATEGORIES[0])],
        titles.values(),
        "Is it the face or the styling?",
        f"Mean |g|, {region}\n(standard deviations)",
        height=140 + 46 * len(titles),
        xlim=(0, float(table["high"].max()) * 1.06),
        **theme.legend(),
    )


def steps_reading(hypothesis: HypothesisRecord) -> str:
    """Share of the difference in the face that remains in the strictest comparison, and its certainty."""
    remains = hypothesis.survives
    if remains is None:
        return "These photos have no attributes to match on."
    low, high = remains.interval
    people = hypothesis.confounders.comparisons[-1].effective
    p = p_value(remains.p_value, hypothesis.confounders.permutations)
    return (
        f"In the strictest comparison, {percent(remains.share, 0)} of the difference in the face remains (95 % "
        f"interval {percent(low, 0)} to {percent(high, 0)}; {p} for the largest effect in "
        f"the face). Its effective sample size is {people['female']:,.0f} female and {people['male']:,.0f} male, of "
        f"{hypothesis.confounders.photos:,} people."
    )


def comparison_table(hypothesis: HypothesisRecord) -> pd.DataFrame:
    """What each comparison matches, how, and its sample size, formatted for display."""
    permutations = hypothesis.confounders.permutations
    rows = [
        {
            "Comparison": comparison.title,
            "Method": comparison.how,
            "People, female": f"{comparison.people['female']:,}",
            "People, male": f"{comparison.people['male']:,}",
            "Effective n, female": f"{comparison.effective['female']:,.0f}",
            "Effective n, male": f"{comparison.effective['male']:,.0f}",
            "|g|, face": f"{comparison.max_abs_g_face:.2f}",
            "at least": lower_end(comparison.max_abs_g_face, comparison.critical_abs_g_face),
            f"p, face ({permutations:,} permutations)": p_value(comparison.p_value, permutations)
            .partition(",")[0]
            .removeprefix("p ")
            .removeprefix("= ")
            .replace(" ", "\N{NO-BREAK SPACE}"),
        }
        for comparison in hypothesis.confounders.comparisons
    ]
    return pd.DataFrame(rows).set_index("Comparison")


def map_views(effects: xr.Dataset, hypothesis: HypothesisRecord) -> list[View]:
    """The maps of the effect between single photos, as photographed and in the strictest comparison.

    Parameters
    ----------
    effects
        ``effect`` (channel, y, x) and ``held_equal`` (comparison, channel, half_y, half_x).
    hypothesis
        ``hypothesis.json``.

    Returns
    -------
    list of View
        On the scale of the first, which the maps of the effect between averages of people have; empty if nothing
        could be held equal.
    """
    if hypothesis.survives is None:
        return []
    limit = float(np.nanmax(np.abs(effects["effect"].to_numpy())))
    by_key = {comparison.key: comparison for comparison in hypothesis.confounders.comparisons}
    names = {"all": "One photo of each person", hypothesis.survives.comparison: "Styling held equal"}
    return [
        View(
            name,
            _held_maps(effects, by_key[key], limit, None),
            _held_reading(effects, by_key[key], name, hypothesis.confounders.permutations),
            phone=_held_maps(effects, by_key[key], limit, 2),
        )
        for key, name in names.items()
    ]


def _held_maps(effects: xr.Dataset, comparison: ComparisonRecord, limit: float, columns: int | None) -> hv.Overlay:
    channels = [str(channel) for channel in effects["channel"].values]
    maps = maps_side_by_side(
        [effects["held_equal"].sel(comparison=comparison.key, channel=channel).to_numpy() for channel in channels],
        [two_lines(CHANNEL_NAMES[channel], 8) for channel in channels],
        "How large is the difference?",
        "Hedges’ g, male − female (SD)",
        comparison.critical_abs_g_face,
        columns=columns,
    )
    return maps.opts(hv.opts.Image(clim=(-limit, limit)))


def _held_reading(effects: xr.Dataset, comparison: ComparisonRecord, name: str, permutations: int) -> str:
    """Largest effect in the face, and the share of the face that is beyond chance."""
    maps = effects["held_equal"].sel(comparison=comparison.key).to_numpy()
    face = face_pixels(maps.shape[1:], 1).reshape(maps.shape[1:])
    beyond = float((np.abs(maps[:, face]) > comparison.critical_abs_g_face).any(axis=0).mean())
    what = "" if comparison.key == "all" else f" ({comparison.title}; {comparison.how})"
    return (
        f"{name}{what}: within the face the largest effect is |g| = {comparison.max_abs_g_face:.2f} "
        f"({p_value(comparison.p_value, permutations)}), and {percent(beyond, 0)} of the face differs beyond chance, "
        f"by more than {comparison.critical_abs_g_face:.2f}, in a channel. Single photos vary more than averages of a "
        "person’s photos, so that their effects are smaller."
    )


@guided(
    "Each row is a part of the picture with two points: as photographed, and with all that is known held equal. "
    "The nearer the second is to the first, the less styling explains; upright marks are what chance gives.",
    view="hypothesis?view=more_than_styling",
)
def survival_chart(confounders: pd.DataFrame, hypothesis: HypothesisRecord) -> hv.Overlay:
    """Mean abs(g) of each part as photographed and in the strictest comparison.

    Parameters
    ----------
    confounders, hypothesis
        As in `steps_chart`.
    """
    parts = confounders[confounders["region"].isin(REGIONS)].rename(columns={"region": "row"})
    after = _strictest(parts, hypothesis).sort_values("survives", ascending=False)
    before = parts[parts["comparison"] == "all"]
    tips = [("part", "@row"), ("mean |g|", "@mean_abs_g{0.000}"), ("95 % interval", "@low{0.000} to @high{0.000}")]
    paired = after.merge(before[["row", "mean_abs_g"]], on="row", suffixes=("", "_before"))
    change = (paired["mean_abs_g_before"] - paired["mean_abs_g"]).to_numpy()
    link = hv.ErrorBars(
        paired.assign(below=(-change).clip(0), above=change.clip(0)),
        "mean_abs_g",
        ["row", "below", "above"],
        horizontal=True,
    ).opts(color=theme.QUIET, line_width=2, alpha=0.6)
    left = [*tips, ("remains", "@survives{0} %")]
    layers = [
        link,
        chance_marks(after),
        points(before, "mean_abs_g", "row", tips, color=LABEL_COLOURS["uncertain"], label="as photographed"),
        intervals(in_percent(after, "survives"), "mean_abs_g", "row", left, color=CATEGORIES[0], label="matched"),
    ]
    return row_chart(
        layers,
        after["row"],
        "What remains of each part?",
        "Mean |g| (standard deviations)",
        height=150 + 34 * len(after),
        xlim=(0, float(max(before["mean_abs_g"].max(), after["high"].max())) * 1.06),
        **theme.legend(columns=3),
    )


def survival_reading(confounders: pd.DataFrame, hypothesis: HypothesisRecord) -> str:
    """Parts of which most and least of the difference remains."""
    after = _strictest(confounders[confounders["region"].isin(REGIONS)], hypothesis)
    after = after.sort_values("survives", ascending=False)
    parts = [
        f"the {row.region}, {percent(row.survives, 0)} "
        f"({percent(row.survives_low, 0)} to {percent(row.survives_high, 0)})"
        for row in after.itertuples()
    ]
    clear = int((after["low"] > after["by_chance"]).sum())
    return (
        f"Most remains in {parts[0]}, and {parts[1]}; least in {parts[-1]}, and {parts[-2]}. {clear} of {len(after)} "
        "parts are still above chance with the whole interval."
    )


@guided(
    "Each row is something that could explain the difference, before and after matching. Points left of the "
    "dashed line are alike enough between the labels.",
    view="hypothesis?view=more_than_styling",
)
def balance_chart(balance: pd.DataFrame, hypothesis: HypothesisRecord) -> hv.Overlay:
    """Absolute standardised difference of every covariate, before and after, and the limit of 0.1.

    Parameters
    ----------
    balance
        ``comparison, kind, covariate, held, difference``.
    hypothesis
        ``hypothesis.json``.
    """
    table = balance.assign(size=balance["difference"].abs(), row=balance["covariate"].map(plain_name))
    before = table[table["comparison"] == "all"].sort_values("size", ascending=False)
    after = _strictest(table, hypothesis)
    tips = [("covariate", "@row"), ("male − female", "@difference{+0.00} SD")]
    columns = ["size", "row", "difference"]
    layers = [
        hv.VLine(BALANCED).opts(color=CATEGORIES[1]),
        points(before[columns], "size", "row", tips, color=LABEL_COLOURS["uncertain"], label="as photographed"),
        points(after[columns], "size", "row", tips, color=CATEGORIES[0], label="matched"),
    ]
    return row_chart(
        layers,
        before["row"],
        "Are the groups balanced?",
        f"Difference between labels\n(absolute, SD; dashed: {BALANCED})",
        height=140 + 22 * len(before),
        xlim=(-0.04, float(table["size"].max()) * 1.04 + 0.05),
        **theme.legend(columns=3),
    )


def balance_reading(balance: pd.DataFrame, hypothesis: HypothesisRecord) -> str:
    """Number of covariates that differ before and after matching."""
    before = balance[balance["comparison"] == "all"].set_index("covariate")["difference"].abs()
    after = _strictest(balance, hypothesis).set_index("covariate")["difference"].abs()
    return (
        f"As photographed, {int((before > BALANCED).sum())} of {len(before)} covariates differ by more than {BALANCED} "
        f"standard deviations between the labels, most {plain_name(str(before.idxmax()))} ({before.max():.1f}); after "
        f"matching, {int((after > BALANCED).sum()) or 'none'} do, and the largest difference is {after.max():.2f}."
    )


def overlap_table(hypothesis: HypothesisRecord) -> pd.DataFrame:
    """Share of each label with each attribute, and whether it can be matched, formatted for display."""
    columns = ["Attribute", "Labelled female", "Labelled male", "Smallest group", "Can be matched"]
    rows = [
        (
            plain_name(row.attribute),
            percent(row.female),
            percent(row.male),
            f"{row.fewest:,}",
            "yes" if row.matchable else "no",
        )
        for row in sorted(hypothesis.confounders.overlap, key=lambda row: row.fewest)
    ]
    return pd.DataFrame(rows, columns=columns).set_index("Attribute")


def overlap_reading(hypothesis: HypothesisRecord) -> str:
    """Attributes that are too rare in one label to be matched."""
    matching = hypothesis.confounders
    unmatched = [plain_name(row.attribute) for row in matching.overlap if not row.matchable]
    if not matching.overlap:
        return "The photos have no attributes."
    if not unmatched:
        return f"In both labels, {matching.fewest} people or more are with and without every attribute."
    names = ", ".join(unmatched[:-1]) + (" or " if len(unmatched) > 1 else "") + unmatched[-1]
    return (
        f"Fewer than {matching.fewest} people of one label have {names}, so the labels cannot be balanced in these. "
        "The strictest comparison therefore excludes people with make-up or a beard, and people without a counterpart "
        "have little weight."
    )
