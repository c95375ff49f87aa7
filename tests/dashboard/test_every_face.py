"""The page of all faces without a browser: what its parameters select, and what follows from it."""

import html
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shown import panel, parts_of, text_of

import dashboard
from analysis.averages.source import LiveSubsets
from analysis.core.errors import UserError
from analysis.core.paths import PROJECT
from analysis.results import Results, artifacts
from dashboard import address


@pytest.fixture
def page(results, scorer):
    from dashboard.pages.every_face import EveryFacePage

    return EveryFacePage(dashboard.Shared(results, scorer))


def said(page):
    return text_of(panel(page))


def test_all_faces_are_selected_at_first(page):
    assert page.selected().all() and len(page.selected()) == 2000
    text = said(page)
    assert "2,000 of 2,000 faces" in text and "Every face is selected" in text
    assert "15 nearest" in text and "41.0 %" in text  # how far the map can be believed


def test_chips_ranges_and_area_select_together(page, results):
    from dashboard.pages.everyone import everyone

    rows = everyone(results).rows
    page.param.update(label=["male"], verdict=["wrong", "uncertain"], p_male=(0.2, 0.8))
    expected = (rows["label"] == "male") & (rows["decision"] != "male") & rows["p_male"].between(0.2, 0.8)
    assert page.selected().tolist() == expected.tolist()
    page.param.update(label=[], verdict=[], p_male=None, having=["Smiling"], lacking=["Young"])
    assert page.selected().tolist() == (rows["Smiling"].eq(True) & rows["Young"].eq(False)).fillna(False).tolist()
    page.clear()
    assert page.selected().all()
    page.area = "0.05,-100 100,-100 100,100 0.05,100"
    assert page.selected().sum() == (everyone(results).places[:, 0] > 0).sum()
    assert f"{int(page.selected().sum()):,} of 2,000 faces" in said(page)


def test_what_is_selected_is_shown_beside_the_rest(page):
    shown = panel(page)
    page.param.update(source=["synthetic"], label=["male"])
    text = text_of(shown)
    assert "400 of 2,000 faces" in text and "600 faces" in text  # the rest of the same data set
    assert "for a selection like this" in text
    (between,) = parts_of(shown, "Between")
    assert set(between.pair) == {"pictures", "points"} and between.share == 200
    assert "typically 0.04 pixels in shape and 1.5 of 255 steps" in text and "seldom more than 0.10 and 2.2" in text
    assert "Smiling" in text
    page.average = "aligned"
    text = text_of(shown)
    assert "Selected minus the rest" in text and "typically 1.4 of 255 steps" in text
    assert set(between.pair) == {"pictures"}
    page.param.update(having=["Smiling"], lacking=["Eyeglasses"], brightness=(0.5, 0.6))
    more = re.search(
        r"typically (\d+\.\d) of 255 steps from the exact average, and seldom more than (\d+\.\d)", text_of(shown)
    )
    assert more is not None and 3 < float(more[1]) < float(more[2])


def test_faces_without_landmarks_have_an_aligned_average_only(page):
    page.param.update(source=["other"])
    assert "Fewer than 16 of these faces have landmarks" in said(page)


def test_the_average_of_few_faces_is_not_shown(page, results):
    from dashboard.pages.everyone import everyone

    places = everyone(results).places
    x, y = places[0]
    page.area = f"{x - 0.02},{y - 0.02} {x + 0.02},{y - 0.02} {x + 0.02},{y + 0.02} {x - 0.02},{y + 0.02}"
    assert 0 < page.selected().sum() < 16
    assert "average of fewer than 16 could show a person" in said(page)
    assert parts_of(page, "Between")[0].pair == {}
    page.area = "900,900 901,900 901,901"
    assert "No face is selected" in said(page)


def test_the_average_follows_what_the_groups_know(results):
    from dashboard.pages.everyone import everyone

    found = everyone(results)
    bright = found.measures["brightness"].values > np.quantile(found.measures["brightness"].values, 0.8)
    light, exact = found.average(bright)
    assert light.shape == (109, 89, 3) and not exact
    assert light.mean() > found.average(~bright)[0].mean() + 0.05


def test_a_data_set_that_is_here_is_averaged_by_its_engine(results, monkeypatch):
    from dashboard.pages import everyone as module
    from dashboard.pages.everyone import everyone

    found = everyone(results)
    asked = []
    rows = found.rows.loc[found.rows["dataset"] == "synthetic", ["image_id"]]

    class Engine:
        def average(self, chosen):
            asked.append(int(chosen.sum()))
            return type("Found", (), {"mean": np.zeros((109, 89, 3), np.float32)})

    monkeypatch.setattr(module, "subset_source", lambda results: LiveSubsets(rows, Engine()))
    monkeypatch.setattr(module.Dataset, "open", lambda name: type("Here", (), {"manifest": rows[::-1]}))
    live = module._live(results, found.rows)
    own = (found.rows["dataset"] == "synthetic").to_numpy()
    assert live(own & (found.rows["label"] == "male").to_numpy()).shape == (109, 89, 3)
    assert asked == [400]
    monkeypatch.setattr(module, "subset_source", lambda results: LiveSubsets(rows.assign(identity=7), Engine()))
    with pytest.raises(UserError, match="400 faces of one person"):
        module._live(results, found.rows)(own & (found.rows["label"] == "male").to_numpy())
    monkeypatch.setattr(module.Dataset, "open", lambda name: type("Here", (), {"manifest": rows[:10]}))
    assert module._live(results, found.rows) is None  # another version of the data set


def test_a_run_without_rows_says_what_makes_them(results, scorer, tmp_path):
    from dashboard.pages.every_face import EveryFacePage

    folder = tmp_path / "run"
    shutil.copytree(results.folder, folder)
    (folder / artifacts.FACES.path).unlink()
    text = said(EveryFacePage(dashboard.Shared(Results(folder), scorer)))
    assert "run `meanface study` again" in text


def test_a_run_without_a_map_selects_by_the_rest(results, scorer, tmp_path):
    from dashboard.pages.every_face import EveryFacePage

    folder = tmp_path / "run"
    shutil.copytree(results.folder, folder)
    scored = artifacts.PREDICTIONS.read(folder).drop(columns=["map_x", "map_y"])
    artifacts.PREDICTIONS.write(scored, folder / "model")
    page = EveryFacePage(dashboard.Shared(Results(folder), scorer), label=["male"])
    text = said(page)
    assert "800 of 2,000 faces" in text and "no map" in text


def test_the_address_holds_the_selection(page):
    names = page.in_url
    defaults = {name: getattr(page, name) for name in names}
    page.param.update(label=["male"], p_male=(0.25, 0.75), area="0,0 1,0 1,1", having=["Smiling"])
    query = address.write(page, names, defaults)
    read = address.read(page, names, query, defaults)
    assert read == {name: getattr(page, name) for name in names}
    for wrong in ("?p_male=0.7,0.2", "?p_male=nan,1", "?p_male=1", "?label=nobody", "?distance=none"):
        assert address.read(page, names, wrong, defaults) == defaults
    for vain in ("?distance=bogus&size=0.1,0.2", "?area=here", "?area=1,2 3,4", "?area=0,0 1,0 1,inf"):
        assert address.read(page, names, vain, defaults) == defaults
    own = page.param.distance.objects[-1]
    read = address.read(page, names, f"?distance={own}&size=0.1,0.2", defaults)
    assert (read["distance"], read["size"]) == (own, (0.1, 0.2))


def test_a_few_faces_are_not_none_of_all_and_what_is_not_known_of_them_is_said(page):
    from dashboard.pages.every_face import _known, _summary
    from dashboard.pages.everyone import everyone
    from dashboard.pages.measures import SCALES, Measure

    rows = everyone(page.results).rows.copy()
    rows.loc[rows.index[0], "verdict"] = None
    rows = pd.concat([rows.iloc[:1], *[rows.iloc[1:]] * 2], ignore_index=True)
    text = _summary(replace(everyone(page.results), rows=rows), np.arange(len(rows)) == 0)
    assert "1 of 3,999 faces</b> (less than 0.1 %)" in text
    assert "1 has no score" in text
    age = Measure.of(SCALES["age"], np.array([20.0, 30.0, np.nan, np.nan]))
    assert _known(age, np.array([True, True, False, False])) == ""
    assert "Known of 1 of the 3 selected" in _known(age, np.array([False, True, True, True]))
    assert "Known of none of the 2 selected" in _known(age, np.array([False, False, True, True]))


@pytest.mark.parametrize("area", ["here", "1,2", "1,2 3,4", "1,2,3 4,5,6 7,8,9", "1 2 3", "nan,nan nan,nan nan,nan"])
def test_an_area_that_is_none_selects_everything_or_nothing(page, area):
    page.area = area
    assert page.selected().sum() in (0, 2000)
    assert "2,000 faces" in said(page)


def test_places_are_inside_a_polygon_by_the_even_odd_rule(rng):
    from dashboard.pages.everyone import inside_area

    places = rng.uniform(-1, 1, (500, 2))
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    assert inside_area(places, square).tolist() == (np.abs(places).max(axis=1) < 0.5).tolist()
    assert inside_area(places, square[::-1]).tolist() == inside_area(places, square).tolist()
    bow = np.array([[-1, -1], [1, 1], [1, -1], [-1, 1]])
    assert inside_area(places, bow).tolist() == (np.abs(places[:, 1]) < np.abs(places[:, 0])).tolist()


def test_rounded_values_fill_their_bins_evenly(rng):
    from dashboard.pages.measures import SCALES, Measure

    measure = Measure.of(SCALES["age"], rng.integers(0, 100, 20_000).astype(float))
    assert np.allclose(np.diff(measure.edges), 3)
    assert measure.counts()[:-1].std() < 0.1 * measure.counts()[:-1].mean()
    assert measure.counts().sum() == pytest.approx(100)
    assert measure.inside(measure.edges[0], measure.edges[-1]).all()


def test_a_measure_of_one_value_or_with_gaps_has_bins():
    from dashboard.pages.measures import SCALES, Measure

    assert Measure.of(SCALES["yaw"], np.array([5.0, 5.0, np.nan])).counts().sum() == pytest.approx(100)
    far = Measure.of(SCALES["yaw"], np.concatenate([np.linspace(0, 1, 5000), [1e6]]))
    assert far.edges[-1] < 2 and far.inside(0.5, far.edges[-1])[-1]  # beyond the last bin counts as within it


def test_ranges_are_written_with_their_units_and_every_measure_says_what_it_means(page):
    from dashboard.pages.every_face import _Shown
    from dashboard.pages.everyone import everyone
    from dashboard.pages.measures import SCALES, Measure, distance_scale

    assert SCALES["p_male"].range(-0.01, 1.02) == "0 % to 100 %"
    assert SCALES["age"].range(0.5, 116.4) == "0 to 116 years"
    assert SCALES["sharpness"].range(0.5, 3.53) == "3 to 3,400"  # stored as a logarithm, read as it was measured
    assert SCALES["yaw"].range(-30, 12) == "−30° to 12°"
    assert distance_scale("jaw angle").range(130, 140) == "130° to 140°"
    assert distance_scale("chin width").range(0.6, 0.7) == "0.60 to 0.70"
    assert "between the pupils" in distance_scale("chin width").about
    assert Measure.of(SCALES["age"], np.array([1.0, 5.0, np.nan])).range() == "1 to 5 years"
    for name, measure in everyone(page.results).measures.items():
        assert measure.scale.about, name
    page.p_male = (0.25, 0.5)
    text = text_of(_Shown(page, everyone(page.results))._histograms())
    assert "<b>Probability of “male”</b> 25 % to 50 %" in text and "surely female" in text and "log10" not in text


def test_a_group_of_the_gallery_is_described_beside_those_that_look_like_it(page, results):
    from dashboard.pages.everyone import everyone
    from dashboard.pages.portraits import Groups

    found = everyone(results)
    groups = Groups(found)
    chosen = (found.rows["label"] == "male").to_numpy()
    numbers = groups.numbers(chosen, "first")
    assert set(numbers) == set(found.rows.loc[chosen, "aggregate"])
    selected = [int((chosen & (found.rows["aggregate"] == number)).sum()) for number in numbers]
    assert selected == sorted(selected, reverse=True)
    told = groups.detail(int(numbers[0]), chosen)
    assert told["src"].startswith("data:image/jpeg;base64,") and len(told["near"]) == 6
    assert numbers[0] not in told["near"]
    assert "all of them are selected" in told["lines"][0] and "labelled male" in told["lines"][0]
    doubt = groups.numbers(chosen, "doubt").tolist()
    assert doubt == groups.numbers(chosen, "sure").tolist()[::-1] or len(set(doubt)) < len(doubt)


def test_photos_are_shown_by_a_server_for_this_machine_alone_of_data_sets_that_are_here(results, monkeypatch):
    from dashboard.pages import portraits as module
    from dashboard.pages.everyone import everyone
    from dashboard.settings import Settings

    found = everyone(results)
    rows = found.rows.loc[found.rows["dataset"] == "synthetic", ["image_id"]]
    faces = xr.DataArray(
        np.arange(len(rows), dtype=np.uint8)[:, None, None, None] + np.zeros((1, 109, 89, 3), np.uint8),
        dims=("image", "y", "x", "channel"),
    )

    def opened(name):
        if name != "synthetic":
            raise UserError("not here")
        return type("Here", (), {"manifest": rows, "faces": faces})

    monkeypatch.setattr(module.Dataset, "open", opened)
    module.portraits.cache_clear()
    here, elsewhere = (module.portraits(found, private=private) for private in (True, False))
    module.portraits.cache_clear()
    assert type(here).__name__ == "Photos" and type(elsewhere).__name__ == "Groups"
    everything = np.ones(len(found.rows), dtype=bool)
    numbers = here.numbers(everything, "first")
    assert (found.rows["dataset"].to_numpy()[numbers] == "synthetic").all() and len(numbers) == len(rows)
    assert [int(picture.mean()) for picture in here._pixels(numbers[[7, 3]].tolist())] == [7, 3]
    told = here.detail(int(numbers[5]), everything)
    assert told["lines"][0].startswith("Labelled ") and len(told["near"]) == 6
    assert Settings().for_this_machine_alone
    for open_ in ({"host": "0.0.0.0"}, {"allow_host": "a.example"}, {"allow_origin": "a.example"}, {"root_path": "/m"}):
        assert not Settings(**open_).for_this_machine_alone


def test_the_gallery_answers_for_what_is_in_sight_and_drops_nonsense(page, monkeypatch):
    sent = []
    (gallery,) = parts_of(panel(page), "Gallery")
    monkeypatch.setattr(gallery, "_send_msg", sent.append)
    page.label = ["female"]
    for message in (
        {"type": "tiles", "start": 2, "version": gallery.version},
        {"type": "tiles", "start": 0, "version": gallery.version - 1},
        {"type": "one", "number": 3},
        {"type": "one", "number": 10**9},
        {"type": "one"},
        {"type": "tiles", "start": "x", "version": gallery.version},
    ):
        gallery._handle_msg(message)
    assert [each["type"] for each in sent] == ["tiles", "one", "near"]
    assert len(sent[2]["tiles"]) == 6
    assert sent[0]["start"] == 2 and len(sent[0]["tiles"]) == min(96, gallery.total - 2)
    gallery.one = 3
    assert page.one == 3


def test_many_faces_are_a_picture_and_few_are_points(rng):
    from bokeh.events import RangesUpdate

    from dashboard.pages.face_map import FEW, FaceMap

    places = rng.normal(size=(FEW + 500, 2)).astype(np.float32)
    places[:5] = np.nan
    shown = FaceMap(places, lambda corners: None)
    codes = np.zeros(len(places), np.float32)
    shown.show(np.ones(len(places), bool), codes, ["#00ff00"], None)
    assert len(shown._points.data["x"]) == 0 and shown._pictures[1].data["url"][0].startswith("data:image/png")
    shown.show(np.arange(len(places)) < 105, codes, ["#00ff00"], None)
    assert len(shown._points.data["x"]) == 100 and shown._pictures[1].data["url"] == []
    shown.show(np.ones(len(places), bool), codes, ["#00ff00"], None)
    before = shown._pictures[0].data["url"]
    shown._moved(RangesUpdate(None, x0=0.0, x1=0.5, y0=0.0, y1=0.5))
    inside = ((places > 0) & (places < 0.5)).all(axis=1).sum()
    assert len(shown._points.data["x"]) == inside and shown._pictures[0].data["url"] != before
    shown._moved(RangesUpdate(None, x0=1.0, x1=0.5, y0=0.0, y1=None))  # no range at all
    assert len(shown._points.data["x"]) == inside


def test_any_two_groups_are_crossed_and_lead_to_their_faces(results, scorer):
    from dashboard.pages.every_face import EveryFacePage

    page = dashboard.pages.MetricsPage(dashboard.Shared(results, scorer), view="crossing")
    page.param.update(rows="label", columns="age", split="train")
    shown = panel(page)
    text = text_of(shown)
    assert "0-9" in text and "60+" in text and "answered rightly" in text
    link = re.search(r'href="\.\./explore\?([^"]*age=20[^"]*)"', text)
    assert link is not None
    faces = EveryFacePage(dashboard.Shared(results, scorer))
    names = faces.in_url
    query = html.unescape(link[1])
    faces.param.update(**address.read(faces, names, query, {name: getattr(faces, name) for name in names}))
    counts = re.findall(r"n = ([\d,]+)", text)
    assert f"{faces.selected().sum():,}" in counts
    page.param.update(rows="Smiling", columns="Smiling", order="lowest", split="train")
    text = text_of(shown)
    assert "95 % interval" in text and "having=Smiling" in text and "lacking=Smiling" in text


def test_a_style_is_crossed_but_cannot_be_selected():
    from dashboard.pages.crossing import faces_address

    assert faces_address({"style": "styled", "label": "male"}, "test") == ""
    assert faces_address({"Young": "yes", "Smiling": "yes"}, "test") == "../explore?split=test&having=Young%2CSmiling"


def test_every_question_whether_the_work_is_done_is_answered():
    from dashboard.pages.busy import Busy

    busy = Busy()
    busy.asked = 3
    assert busy.done == 3


def test_scripts_of_components_hold_what_they_import():
    from dashboard import parts

    scripts = {file.stem: file.read_text() for file in (PROJECT / "dashboard/pages").glob("*.mjs")}
    del scripts["common"]
    sharing = [name for name, own in scripts.items() if "./common.mjs" in own]
    assert len(sharing) > 5
    for name in scripts:
        written = parts.script(name)
        assert "./common.mjs" not in written
        assert ("function make(" in written) == (name in sharing)
