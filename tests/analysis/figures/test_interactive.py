"""Figures that a browser makes: what is sent to it says the same as Python does, and the page reads without it."""

import base64
import gzip
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from synthetic import write_results

from analysis import figures
from analysis.averages.gallery import compare_published
from analysis.core.schema import LABELS
from analysis.results import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("interactive") / "run")


def sent(page: "figures.html.PageHtml", name: str = "figure-data") -> dict:
    """What a page sends to the browser."""
    packed = re.search(rf'class="{name}">([^<]+)<', page.data)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def test_every_two_averages_are_compared_as_the_explorer_compares_them(results: Results) -> None:
    averages = results.subsets
    filters = averages["filter"].values.tolist()
    found = figures.pairs.differences(averages)
    for one in range(len(filters)):
        assert len(found[one]) == 5 * (len(filters) - one - 1)
        for two in range(one + 1, len(filters)):
            _, most, error, mean, errors = found[one][5 * (two - one - 1) : 5 * (two - one)]
            values, of_values = figures.subsets.subset_luma(compare_published(averages, filters[one], filters[two]))
            at = np.unravel_index(np.abs(values).argmax(), values.shape)
            expected = (np.abs(values[at]), np.abs(values).mean(), of_values.mean())
            assert np.allclose((abs(most), mean, errors), expected, atol=0.06)
            if abs(most) > 1:  # else several pixels may be the farthest
                assert np.sign(most) == np.sign(values[at])
            assert error >= 0


def test_two_averages_are_sent_with_all_others_and_shown_without_javascript(results: Results) -> None:
    page = figures.pairs.pair_html(results.subsets, "male", "female")
    known = sent(page)
    assert known["names"] == results.subsets["subset"].values.tolist()
    assert known["labels"][:2] == ["", "female"]
    assert [known["names"][place] for place in known["chosen"]] == ["male", "female"]
    sheet = Image.open(io.BytesIO(base64.b64decode(known["sheet"].split(",")[1])))
    assert sheet.height % 16 == 0 and sheet.width % (16 * known["columns"]) == 0
    place = known["names"].index("male")
    wide, tall = sheet.width // known["columns"], -(-known["height"] // 16) * 16
    left, top = place % known["columns"] * wide, place // known["columns"] * tall
    face = np.asarray(sheet.convert("RGB").crop((left, top, left + known["width"], top + known["height"])), float)
    mean = 255 * results.subsets["mean"].sel(subset="male").transpose("y", "x", "channel").to_numpy()
    assert np.abs(face - mean).mean() < 3
    assert page.data.count("<img ") == 4 and "first lighter, +" in page.data
    assert "“male” and “female” differ most in the" in page.data


def test_the_difference_of_two_groups_changes_its_sign_with_their_order(results: Results) -> None:
    there, back = (
        figures.pairs.pair_html(results.subsets, *pair).data for pair in (("male", "female"), ("female", "male"))
    )
    ways = [re.search(r"steps (lighter|darker)", page) for page in (there, back)]
    assert {way[1] for way in ways if way} == {"lighter", "darker"}
    scales = [re.search(r"linear-gradient\(90deg,(#\w+)", page) for page in (there, back)]
    assert [scale[1] for scale in scales if scale] == [figures.theme.DIVERGING[0], figures.theme.DIVERGING[-1]]
    same = figures.pairs.pair_html(results.subsets, "male", "male, smiling").data
    assert figures.theme.OPPOSED[0] in same.split("</script>")[0]  # the colours of labels stand for labels alone
    assert "The two averages are the same." in figures.pairs.pair_html(results.subsets, "male", "male").data


def test_outcomes_at_the_band_are_those_that_were_served(results: Results) -> None:
    band, source = results.metrics.band, results.metrics.datasets[0]
    rows = results.predictions.query("split == 'test'")
    served = figures.thresholds.outcomes(rows, source, band.low, band.high)
    own = rows[rows["dataset"] == source]
    count = own.groupby(["label", "decision"]).size()
    names = {"TN": ("female", "female"), "FP": ("female", "male"), "FN": ("male", "female"), "TP": ("male", "male")}
    assert {name: served[name] for name in names} == {name: int(count.get(at, 0)) for name, at in names.items()}
    assert served["uncertain"] == (own["decision"] == "uncertain").sum()
    assert served["decided"] + served["uncertain"] == served["all"] == len(own)
    assert figures.thresholds.outcomes(rows, source, 0.5, 0.5)["uncertain"] == 0


def test_counts_that_are_sent_give_the_outcomes_at_every_two_thresholds(results: Results) -> None:
    metrics = results.metrics
    page = figures.thresholds.thresholds_html(results.predictions, "test", metrics.datasets, metrics.band)
    known = sent(page)
    rows = results.predictions.query("split == 'test'")
    at = known["at"]
    assert at == sorted(at) and {0.0, 0.5, 1.0, metrics.band.low, metrics.band.high} <= set(at)
    rng = np.random.default_rng(0)
    for source, counts in known["sources"].items():
        for low, high in np.sort(rng.integers(0, len(at), (30, 2)), axis=1):
            expected = figures.thresholds.outcomes(rows, source, at[low], at[high])
            female, male = (counts[label] for label in LABELS)
            down = [each["upto"][low] if low < high else each["below"][high] for each in (female, male)]
            up = [each["all"] - each["below"][high] for each in (female, male)]
            assert (down[0], up[0], down[1], up[1]) == tuple(expected[name] for name in ("TN", "FP", "FN", "TP"))
    assert page.data.count("<tr") == 5 and "As served" in page.data  # a table without JavaScript


def test_a_figure_with_views_sends_each_and_reads_without_a_switch(results: Results) -> None:
    maps = figures.hypothesis.effect_maps(results.effects)
    page = figures.html.figure_html(
        maps, "First.", name="One", views=[figures.html.View("Two", maps, "Second.", phone=maps)]
    )
    assert sent(page).keys() == sent(page, "figure-data1").keys() == sent(page, "figure-phone1").keys()
    assert re.findall(r'aria-pressed="(\w+)">(\w+)<', page.data) == [("true", "One"), ("false", "Two")]
    assert page.data.count('class="finding"') == 2 and 'class="still-other"' in page.data
    alone = figures.html.figure_html(maps, "First.")
    assert "<button" not in alone.data and "other-view" not in alone.data


def test_maps_with_styling_held_equal_have_the_scale_of_those_as_photographed(results: Results) -> None:
    outcome = results.hypothesis
    views = figures.confounders.map_views(results.effects, outcome)
    assert [view.name for view in views] == ["One photo of each person", "Styling held equal"]
    limit = float(np.nanmax(np.abs(results.effects["effect"].to_numpy())))
    for view in views:
        page = figures.html.figure_html(view.figure, view.finding)
        ranges = re.findall(r'"low":(-[\d.]+),"high":([\d.]+)', json.dumps(sent(page), separators=(",", ":")))
        assert ranges and all(np.allclose([-float(low), float(high)], limit) for low, high in ranges)
    assert f"|g| = {outcome.confounders.comparisons[-1].max_abs_g_face:.2f}" in views[1].finding
    assert figures.confounders.map_views(results.effects, outcome.changed(survives=None)) == []
