"""Labels that confident learning suspects to be wrong, by group of faces."""

import holoviews as hv
import pandas as pd

from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.attributes import attribute_name
from analysis.figures.guide import guided
from analysis.figures.metrics import pooled_accuracy
from analysis.figures.rows import in_percent, intervals, row_chart
from analysis.figures.theme import CATEGORIES, LABEL_COLOURS
from analysis.results import Results
from analysis.results.records import LabelNoise, MetricsRecord


def _named(doubts: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order all faces, labels, attributes by decreasing share, with a name for each."""
    kinds = {"all": 0, "label": 1, "attribute": 2}
    table = doubts.assign(
        kind_place=doubts["kind"].map(kinds), less=-doubts["share"].where(doubts["kind"] != "label", 0)
    )
    table = table.sort_values(["kind_place", "less"], kind="stable")
    names = {
        "all": lambda group: group,
        "label": lambda group: f"labelled {group}",
        "attribute": lambda group: attribute_name(group).lower(),
    }
    return table.assign(name=[names[row.kind](row.group) for row in table.itertuples()])


@guided(
    "Each row is a label or an attribute. The point is the share of its faces whose label a classifier "
    "contradicts, the bar its 95 % interval.",
    view="data?mistakes=doubts",
)
def doubted_shares(doubts: pd.DataFrame, top: int = 10) -> hv.Overlay:
    """Share of suspected label errors among all faces, by label and by attribute, with 95 % intervals.

    Parameters
    ----------
    doubts
        ``kind, group, images, doubted, share, low, high``; see `analysis.study.label_noise.doubted_labels`.
    top
        Number of attributes, those with the most doubted labels first.
    """
    named = in_percent(_named(doubts), "share", "low", "high").rename(columns={"name": "row"})
    attributes = named[named["kind"] == "attribute"].head(top)
    colours = {"all faces": theme.QUIET} | {label: LABEL_COLOURS[label] for label in LABELS}
    parts = [(named[(named["group"] == group) & (named["kind"] != "attribute")], colours[group]) for group in colours]
    tips = [
        ("faces", "@row"),
        ("suspected", "@doubted{0,0} of @images{0,0}"),
        ("share", "@share{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
    ]
    layers = [
        intervals(part, "share", "row", tips, color=colour)
        for part, colour in [*parts, (attributes, CATEGORIES[2])]
        if len(part)
    ]
    names = pd.concat([named[named["kind"] != "attribute"], attributes])["row"]
    return row_chart(
        layers,
        names,
        "Which labels may be wrong?",
        "Suspected label errors (%)",
        xlim=(0, 1.08 * max(1.0, float(named["high"].max()))),
        height=110 + 28 * len(names),
    )


def doubted_shares_reading(doubts: pd.DataFrame, noise: LabelNoise, metrics: MetricsRecord | None = None) -> str:
    """Estimated noise, how it was estimated, where the share is highest, and how the network's estimate differs.

    Parameters
    ----------
    doubts
        As in `doubted_shares`.
    noise
        ``label_noise`` of ``study.json``.
    metrics
        ``metrics.json``; None if no network was evaluated.
    """
    text = (
        f"A simple classifier scored every face out of sample ({noise.folds}-fold cross-validation over people, "
        f"{percent(noise.accuracy or 0)} accurate). From its scores confident learning estimates that "
        f"{percent(noise.noise_rate)} of the {noise.images:,} labels are wrong and names {noise.issues:,} "
        f"({noise.suggested['female to male']:,} labelled female, {noise.suggested['male to female']:,} male)"
    )
    sentences = [text]
    attributes = _named(doubts[doubts["kind"] == "attribute"])
    if len(attributes):
        most = attributes.iloc[0]
        sentences += [
            f"The share is highest with the attribute “{most['name']}”: {percent(most['share'])} of {most['images']:,}",
            "A suspected label is not proven wrong: the face may be unusual",
        ]
    comparison = "" if metrics is None else f" {noise_comparison(metrics, noise)}"
    return f"{'. '.join(sentences)}.{comparison}"


def noise_comparison(metrics: MetricsRecord, study: LabelNoise) -> str:
    """Why the data study and the network give different estimates of the label noise, in a sentence.

    Parameters
    ----------
    metrics
        ``metrics.json``.
    study
        ``label_noise`` of ``study.json``.
    """
    name = metrics.datasets[0]
    accuracy = pooled_accuracy([metrics.splits[split] for split in ("validation", "test")])
    return (
        f"Of the labels of {name}, {percent(study.noise_rate)} are estimated to be wrong from the scores of the data "
        f"study’s simple classifier, {percent(metrics.label_noise[name].noise_rate)} from those of the network on "
        "validation and test images: a classifier’s own errors can pass for errors of the labels, and the simple "
        f"classifier agrees with {percent(study.accuracy or 0)} of the labels, the network with {percent(accuracy)}."
    )


def estimates_reading(results: Results) -> str:
    """Every estimate of the share of wrong labels that the run has, why they differ, and which to believe.

    Parameters
    ----------
    results
        The run.
    """
    study, network = results.study, results.network
    simple = study.label_noise
    estimates = [f"{percent(simple.noise_rate)} by the simple classifier ({percent(simple.accuracy or 0)} accurate)"]
    accuracy = None
    if network is not None and study.dataset in network.label_noise:
        accuracy = pooled_accuracy([network.sources[study.dataset][split] for split in ("validation", "test")])
        rate = network.label_noise[study.dataset].noise_rate
        estimates.append(f"{percent(rate)} by the network on photos that it was not trained on ({percent(accuracy)})")
    known = results.identities
    scope = "metadata" if "metadata" in set(known["scope"]) else "images"
    several = known[(known["scope"] == scope) & (known["images"] > 1)]
    photos = int((several["images"] * several["people"]).sum())
    if photos:
        minority = int(several["minority_images"].sum())
        estimates.append(
            f"{percent(minority / photos)} by the annotators themselves, whose label differs from that of most "
            "other photos "
            f"of the same person ({minority:,} of {photos:,})"
        )
    if len(estimates) == 1:
        return f"There is one estimate of wrong labels, {estimates[0]}: its own mistakes may pass for wrong labels."
    believe = "that of the classifier is an upper guess"
    if accuracy is not None:
        better = accuracy > (simple.accuracy or 0)
        believe = (
            "the network’s is the better one by a classifier" if better else "neither classifier’s is the better one"
        )
    own = (
        "; the annotators’ own disagreement needs no classifier, but counts a look that changed as well, and "
        "misses an error "
        "that is the same in all photos of a person"
        if photos
        else ""
    )
    return (
        f"Estimates of the share of wrong labels differ: {'; '.join(estimates)}. A classifier’s own mistakes pass "
        "for errors of "
        f"the labels, so that a weaker one finds more of them; {believe}{own}. None is a count: nobody looked at "
        "these photos "
        "again."
    )
