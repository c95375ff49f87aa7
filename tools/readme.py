"""Write the numbers of the published run into README.md, between the two markers there.

Usage: ``python tools/readme.py``; with ``--check`` it only says, by its exit code, whether they are up to date.
"""

import re
import sys
from pathlib import Path

import pandas as pd

from analysis.core.words import listed, percent
from analysis.figures.answers import shown_verdict
from analysis.figures.peers import data_sets, main_peer, systems
from analysis.results import Results
from analysis.results.records import MetricsRecord

ROOT = Path(__file__).resolve().parent.parent
MARKERS = re.compile(r"(<!-- numbers: [^>]*-->\n).*?(<!-- end of numbers -->)", re.DOTALL)


def numbers(results: Results) -> str:
    """The table of the README's first screen, in Markdown."""
    test, hypothesis, metrics = results.metrics.splits["test"], results.hypothesis, results.metrics
    rows = []
    ages = {name: splits for name, splits in metrics.subsets.items() if ", ages " in name}
    for name, splits in (metrics.sources | ages).items():
        part = splits["test"]
        low, high = part.accuracy_interval
        rows.append(
            (
                f"Accuracy on {part.images:,} test photos of {name}",
                f"**{percent(part.accuracy)}** (95 % interval {percent(low)} to {percent(high)})",
            )
        )
    groups = results.groups
    styles = groups[(groups["run"] == results.run.run) & (groups["feature"] == "style")].sort_values("accuracy")
    for row in styles.head(1).itertuples():
        interval = f"{percent(row.accuracy_low)} to {percent(row.accuracy_high)}"
        rows.append(
            (
                f"Accuracy on {row.images:,} {row.group} of {row.source}",
                f"**{percent(row.accuracy)}** (95 % interval {interval})",
            )
        )
    if results.has_peers:
        rows.append(beside(results.peers))
    rows += [
        (
            f"Decided on {metrics.datasets[0]}, the rest being “uncertain”",
            f"{percent(test.decided.coverage)}, of which {percent(test.decided.accuracy)} rightly",
        ),
        *promised(metrics),
        (f"Calibration error on {metrics.datasets[0]}", f"{test.calibration.ece:.3f}"),
        ("Model", f"{metrics.parameters:,} parameters, {metrics.serving_bytes / 1e6:.1f} MB"),
        (
            "Do the average faces differ?",
            f"**{shown_verdict(results)}**: {effects(results)}",
        ),
        (
            "The nearer average face alone is right for",
            f"{percent(hypothesis.nearest_average.accuracy)} of unseen faces",
        ),
    ]
    return "| | |\n|:---|:---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def promised(metrics: MetricsRecord) -> list[tuple[str, str]]:
    """For which data sets it is proven that decided faces are right; none in runs from before that was tested."""
    if not metrics.promises:
        return []
    proven = [name for name, promise in metrics.promises.items() if promise.made == "confident"]
    others = [name for name in metrics.promises if name not in proven]
    told = [f"promised for {listed(proven)}"] * bool(proven) + [f"not for {listed(others)}"] * bool(others)
    return [(f"{percent(metrics.right_share_wanted, 0)} of decided faces right, with 95 % confidence", "; ".join(told))]


def effects(results: Results) -> str:
    """The largest effects in shape and in shade, as photographed and with all else held equal."""
    hypothesis = results.hypothesis
    plain, strictest = hypothesis.confounders.comparisons[0], hypothesis.confounders.comparisons[-1]
    shade = f"shade in single photos, \\|g\\| = {plain.max_abs_g_face:.2f} and {strictest.max_abs_g_face:.2f}"
    if not results.has_shape:
        return f"{shade} as photographed and with all else held equal"
    first, last = results.shape.comparisons[1], results.shape.comparisons[-1]
    return (
        f"{first.largest}, Hedges’ g = {first.g:.2f} as photographed and {last.g:.2f} with all else held equal; {shade}"
    )


def beside(peers: pd.DataFrame) -> tuple[str, str]:
    """This model and the package that finds most faces: accuracy on the faces that each finds, and time of a photo."""
    first, other = systems(peers)[0], main_peer(peers)
    whole = data_sets(peers).pivot(index="source", columns="system", values="accuracy")
    sources = dict.fromkeys(data_sets(peers)["source"])
    parts = [f"{percent(whole[first][name])} against {percent(whole[other][name])} on {name}" for name in sources]
    times = peers.groupby("system")["milliseconds"].first()
    return (
        f"Against {other}, on the faces that each finds",
        f"{'; '.join(parts)}; {times[first]:.1f} ms against {times[other]:.1f} ms for a photo of 250 x 250 on one core",
    )


def main() -> int:
    """Rewrite the README, or check it."""
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    table = "\n" + numbers(Results(ROOT / "results")) + "\n"
    new = MARKERS.sub(lambda match: match[1] + table + match[2], old)
    if "--check" in sys.argv[1:]:
        return int(new != old)
    readme.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
