"""The explorer's pages without a browser: their state, and what follows from it."""

import asyncio
import base64
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from fakes import FEMALE, MALE, NO_FACE, UNCERTAIN, photo
from shown import panel, parts_of, text_of

import dashboard
from analysis import averages
from analysis.averages.base import check_size
from analysis.averages.filters import selectable
from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import p_value, percent
from analysis.results import Results, artifacts
from dashboard.scoring import Scorer
from dashboard.uploads import MAX_FILE_BYTES
from model.predictions import COLUMNS

PAGES = ("EveryFacePage", "FacesPage", "HypothesisPage", "DataPage", "MetricsPage", "PredictPage", "ApiPage")
HYPOTHESIS_VIEWS = ("sound", "beyond_chance", "large_enough", "more_than_styling", "tells_apart", "elsewhere")
METRICS_VIEWS = (
    "decisions",
    "accuracy",
    "scores",
    "groups",
    "crossing",
    "runs",
    "robustness",
    "explanation",
    "training",
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Figures are made with the page, where a browser's session makes them after it."""
    import panel as pn

    monkeypatch.setattr(
        dashboard.parts, "deferred", lambda make, parameters: pn.panel(pn.bind(lambda *values: make(), *parameters))
    )


@pytest.fixture
def shared(results, scorer):
    return dashboard.Shared(results, scorer)


def score(page, photos):
    for name, data in photos:
        asyncio.run(page.score(name, data))
    return page.report()


def test_every_page_and_view_is_tested():
    pages = dashboard.pages
    assert tuple(page.__name__ for page in pages.PAGES) == PAGES
    assert tuple(pages.HypothesisPage.param["view"].objects) == HYPOTHESIS_VIEWS
    assert tuple(pages.MetricsPage.param["view"].objects) == METRICS_VIEWS


def test_a_page_that_is_left_is_given_back(shared):
    import gc
    import weakref

    from dashboard.chrome import framed

    page = dashboard.pages.DataPage(shared)
    frame = framed(page)
    left = weakref.ref(page), weakref.ref(frame)
    del page, frame
    gc.collect()
    assert [alive() for alive in left] == [None, None]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_its_results(name, shared):
    page = getattr(dashboard.pages, name)(shared)
    shown = panel(page)
    assert page.title in text_of(shown)
    assert "run `meanface" not in text_of(shown)


@pytest.mark.parametrize("name", PAGES)
def test_a_run_without_results_is_told_in_one_line_on_every_page(name, tmp_path):
    def load():
        raise UserError("no model here: run `meanface train`")

    scorer = Scorer(load)
    scorer.load()
    said = text_of(getattr(dashboard.pages, name)(dashboard.Shared(Results(tmp_path), scorer)))
    assert name == "ApiPage" or "run `meanface" in said
    assert "Traceback" not in said


def test_apps_are_functions_at_the_addresses_of_the_navigation(shared):
    from dashboard import chrome, explorer

    applications = explorer.applications(shared)
    assert list(applications) == [path for path, _ in chrome.NAVIGATION]
    assert applications["/explore/faces"]().meta.title == "Average faces - meanface"


def test_the_navigation_marks_the_page_and_leads_to_report_and_api_docs():
    from dashboard import chrome

    links = chrome.navigation("/explore/faces")
    assert '<a href="./faces" aria-current="page">Average faces</a>' in links
    assert links.count("aria-current") == 2  # once in the row, once in the menu of narrow windows
    assert 'href="../"' in links and 'href="../api/docs"' in links


def test_attributes_are_those_of_the_scope(shared):
    for scope in ("images", "metadata"):
        assert set(dashboard.pages.DataPage(shared, scope=scope).attributes()["scope"]) == {scope}


def test_attributes_are_found_by_a_part_of_their_name_in_any_case(shared):
    every = dashboard.pages.DataPage(shared, top=40).attributes()["attribute"].unique()
    wanted = every[0]
    found = dashboard.pages.DataPage(shared, search=wanted.replace("_", " ").upper()).attributes()
    assert wanted in set(found.attribute)
    assert len(found.attribute.unique()) < len(every)


def test_the_top_attributes_are_those_in_which_the_labels_differ_most(results, scorer):
    rows = [
        {
            "scope": "images",
            "attribute": f"A{n:02}",
            "label": label,
            "prevalence": 0.5 + (n / 50 if label == "male" else 0),
        }
        for n in range(20)
        for label in ("female", "male")
    ]
    altered = Results(results.folder)
    altered.__dict__["attributes"] = pd.DataFrame(rows)
    found = dashboard.pages.DataPage(dashboard.Shared(altered, scorer), top=10).attributes()
    assert sorted(found.attribute.unique()) == [f"A{n}" for n in range(10, 20)]


def test_the_reading_counts_all_attributes_not_those_chosen_for_differing(shared, results):
    attributes = results.attributes.query("scope == 'images'")["attribute"].nunique()
    page = dashboard.pages.DataPage(shared, top=10)
    assert f"of {attributes} attributes" in text_of(page)


def test_a_name_that_no_attribute_has_is_told(shared):
    with pytest.raises(UserError, match="no attribute is called “beret”"):
        dashboard.pages.DataPage(shared, search="beret").attributes()


def lab_of(page):
    (lab,) = parts_of(panel(page), "Lab")
    return lab


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_lab_begins_with_men_and_women_and_shows_first_minus_second(shared, results):
    lab = lab_of(dashboard.pages.FacesPage(shared))
    first, second = lab.pair["first"], lab.pair["second"]
    assert (first["filter"], second["filter"]) == ("label == 'male'", "label == 'female'")
    published = results.subsets.sel(subset="male")
    assert first["count"] == int(published["count"])
    assert numbers(first["pixels"], np.uint8) == pytest.approx(255 * published["mean"].to_numpy().ravel(), abs=0.51)
    difference, effect = (numbers(lab.pair[name], "<f4") for name in ("difference", "effect"))
    luma = numbers(first["pixels"], np.uint8).reshape(-1, 3) @ [0.299, 0.587, 0.114]
    luma = luma - numbers(second["pixels"], np.uint8).reshape(-1, 3) @ [0.299, 0.587, 0.114]
    assert difference == pytest.approx(luma, abs=1.1)
    assert np.array_equal(np.sign(difference), np.sign(effect))
    assert len(lab.presets) == results.subsets.sizes["subset"]


def test_shape_and_texture_of_the_labels_go_to_the_browser_apart(shared, results):
    lab = lab_of(dashboard.pages.FacesPage(shared, view="shape", texture=30))
    known = lab.prototypes
    women, men = (numbers(text, "<f4").reshape(-1, 2) for text in known["points"])
    stored = results.shape_free["points"].to_numpy()
    assert len(women) == 468 + 8 and women[:468] == pytest.approx(stored[0], abs=1e-3)
    assert np.array_equal(women[468:], men[468:])  # the edge of the frame stays where it is
    assert numbers(known["triangles"], "<u2").max() == len(women) - 1
    assert (lab.view, lab.texture, lab.shape) == ("shape", 30, 100)


def test_the_distances_of_two_subsets_are_compared_as_their_values_say(shared, results):
    from dashboard.pages.everyone import everyone

    page = dashboard.pages.FacesPage(shared)
    lab = lab_of(page)
    found = everyone(results)
    rows = found.rows[found.rows["dataset"] == "synthetic"]
    assert {each["name"] for each in lab.pair["distances"]} == set(found.distances)
    for each in lab.pair["distances"]:
        values = [rows.loc[rows["label"] == label, each["name"]].dropna().astype(float) for label in ("male", "female")]
        d = (values[0].mean() - values[1].mean()) / np.sqrt((values[0].var() + values[1].var()) / 2)
        assert each["g"] == pytest.approx(d, abs=0.03) and each["low"] < each["g"] < each["high"]
    assert page._distances("confidence > 0.9", "label == 'male'") == []  # rows do not hold it


def test_another_choice_is_compared_and_told(shared):
    page = dashboard.pages.FacesPage(shared, first="label == 'female' and Smiling")
    shown = panel(page)
    assert "150 faces" in text_of(shown)
    lab = parts_of(shown, "Lab")[0]
    lab.second = lab.first
    assert page.second == page.first
    assert "150 faces are in both" in text_of(shown)
    assert not numbers(lab.pair["effect"], "<f4").any()


@pytest.mark.parametrize("single", [True, False], ids=["with a row for each image", "without"])
def test_an_address_that_names_a_filter_that_means_nothing_is_corrected(shared, single, monkeypatch):
    from dashboard import address

    if not single:
        monkeypatch.setattr(Results, "has_faces", False)
        dashboard.pages.everyone.everyone.cache_clear()
    page = dashboard.pages.FacesPage(shared)
    defaults = {name: getattr(page, name) for name in page.in_url}
    for nonsense in ("Blad", "label+%3D%3D", "dataset+%3D%3D+%27none%27", "label+%3D%3D+%27all%27"):
        read = address.read(page, page.in_url, f"?first={nonsense}&second=label+%3D%3D+%27male%27&blend=999", defaults)
        assert read == defaults | {"second": "label == 'male'"}
    other = address.read(page, page.in_url, "?first=Smiling+and+not+Eyeglasses", defaults)
    assert other == (defaults | {"first": "Smiling and not Eyeglasses"} if single else defaults)


def test_a_group_that_is_not_published_is_estimated_near_the_exact_average_of_one_that_is(shared, results):
    page = dashboard.pages.FacesPage(shared, first="label == 'female' and not Smiling", second="label == 'female'")
    shown = panel(page)
    (lab,) = parts_of(shown, "Lab")
    rows = results.faces[results.faces["dataset"] == results.study.dataset]
    assert lab.pair["first"]["count"] == int(((rows["label"] == "female") & (rows["Smiling"] == False)).sum())  # noqa: E712
    apart = numbers(lab.pair["difference"], "<f4")
    assert np.abs(apart).mean() < 20
    assert "The first average is estimated from averages of small groups" in text_of(shown)
    assert "The second average is estimated" not in text_of(shown)


def test_a_group_of_another_data_set_can_be_compared(shared, results):
    names = results.faces["dataset"].value_counts()
    other = next(name for name in names.index if name != results.study.dataset)
    (lab,) = parts_of(panel(dashboard.pages.FacesPage(shared, first=f"dataset == '{other}'")), "Lab")
    assert lab.pair["first"]["count"] == names[other]
    assert lab.choices[0]["name"] == results.study.dataset


def test_a_group_that_is_too_small_is_not_shown_and_said_why(shared):
    (lab,) = parts_of(panel(dashboard.pages.FacesPage(shared, first="label == 'male' and label == 'female'")), "Lab")
    assert "the first group is empty" in lab.problem
    assert "pixels" not in lab.pair["first"]
    lab.first = "label == 'male'"
    assert lab.problem == "" and lab.pair["first"]["pixels"]


class Here(averages.LiveSubsets):
    """Stands in for data that is here."""

    def compare(self, first, second):
        if first == "Smiling and":
            raise UserError("the filter cannot be read")
        check_size({"Bald": 0, "identity == 5": 1}[first], "the first subset")


@pytest.mark.parametrize(
    ("expression", "said"),
    [("Bald", "is empty"), ("identity == 5", "a single face: an average of fewer than 16"), ("Smiling and", "be read")],
)
def test_where_the_data_is_here_any_filter_can_be_typed_and_what_is_wrong_with_it_is_told(
    expression, said, shared, monkeypatch
):
    table = selectable(pd.DataFrame({"label": LABELS * 10, "Bald": False, "identity": range(20)}))
    monkeypatch.setattr("dashboard.pages.faces.subset_source", lambda results: Here(table, None))
    page = dashboard.pages.FacesPage(shared, first=expression)
    shown = panel(page)
    assert said in parts_of(shown, "Lab")[0].problem
    first, _ = parts_of(shown, "TextInput")
    assert first.value == expression
    page.first = "identity == 5"
    assert first.value == "identity == 5"
    first.value = "Bald"
    assert page.first == "Bald"


def test_a_filter_of_what_only_the_run_knows_is_estimated_where_the_data_is_here(shared, results, monkeypatch):
    class Whole(averages.LiveSubsets):
        def compare(self, first, second):
            assert "yaw" not in first + second  # a column of the run's rows, not of the data set
            return averages.PublishedSubsets(results.subsets, "").compare(first, second)

    table = selectable(pd.DataFrame({"label": LABELS * 10}))
    monkeypatch.setattr("dashboard.pages.faces.subset_source", lambda results: Whole(table, None))
    (lab,) = parts_of(panel(dashboard.pages.FacesPage(shared, first="label == 'male' and yaw < 60")), "Lab")
    assert lab.problem == "" and lab.pair["first"]["pixels"]


def test_the_steps_are_those_of_the_verdict_and_lead_to_their_evidence(shared, results):
    page = dashboard.pages.HypothesisPage(shared)
    shown = panel(page)
    (steps,) = parts_of(shown, "Steps")
    assert [step["key"] for step in steps.steps] == list(results.hypothesis.criteria)
    assert steps.open == page.view == "sound"
    steps.open = "more_than_styling"
    assert page.view == "more_than_styling" and page.held
    assert "4. Does that hold with styling held equal?" in text_of(shown) and "What else could it be?" in text_of(shown)
    after = next(button for button in parts_of(page._view(), "Button") if button.label.startswith("Next"))
    after.clicks += 1
    assert page.view == steps.open == "tells_apart" and not page.held
    steps.open = "nonsense"  # a browser may send anything
    assert page.view == "tells_apart"


def test_the_maps_hold_the_effects_as_photographed_and_with_styling_held_equal(shared, results):
    page = dashboard.pages.HypothesisPage(shared, view="beyond_chance", least=0.2)
    (maps,) = parts_of(page._view(), "EffectMaps")
    effect = results.effects["effect"]
    for channel, text in maps.frame["maps"]["photographed"].items():
        assert numbers(text, "<f4") == pytest.approx(effect.sel(channel=channel).to_numpy().ravel())
    held = results.effects["held_equal"].sel(comparison=results.hypothesis.survives.comparison)
    for channel, text in maps.frame["maps"]["held"].items():
        shown = numbers(text, "<f4").reshape(effect.sizes["y"], effect.sizes["x"])
        assert shown[0, 0] == pytest.approx(float(held.sel(channel=channel)[0, 0]))
        assert shown[-1, -1] == pytest.approx(float(held.sel(channel=channel)[-1, -1]))
    assert maps.least == 0.2
    maps.held = True
    assert page.held


@pytest.mark.parametrize("view", HYPOTHESIS_VIEWS)
def test_each_view_of_the_hypothesis_is_drawn_and_read(view, shared):
    page = dashboard.pages.HypothesisPage(shared, view=view)
    for channel in ("L", "all"):
        page.channel = channel
        shown = page._view()
        assert parts_of(shown, "Bokeh")
        assert len(text_of(shown)) > 100 and "run `meanface" not in text_of(shown)


def test_the_hypothesis_without_another_data_set_says_how_to_compare(shared, results):
    alone = Results(results.folder)
    alone.__dict__["elsewhere"] = results.elsewhere.iloc[:0]
    page = dashboard.pages.HypothesisPage(dashboard.Shared(alone, shared.scorer), view="elsewhere")
    assert "--compare" in text_of(page._view())


def test_the_verdict_writes_p_as_the_report_does(shared, results):
    tested = results.hypothesis
    assert p_value(tested.largest_in_face.p_value, tested.permutations) in text_of(
        dashboard.pages.HypothesisPage(shared)._verdict()
    )


def test_another_split_has_other_metrics(shared, results):
    page = dashboard.pages.MetricsPage(shared)
    assert page.measured() == results.metrics.splits["test"]
    page.split = "validation"
    assert page.measured() == results.metrics.splits["validation"]
    assert percent(results.metrics.splits["validation"].accuracy) in text_of(page._facts)


def test_another_source_has_other_metrics_and_a_subset_has_no_single_scores(shared, results):
    page = dashboard.pages.MetricsPage(shared, source="other")
    assert page.measured() == results.metrics.sources["other"]["test"]
    page.source = "other, ages 10-80"
    assert page.measured() == results.metrics.subsets["other, ages 10-80"]["test"]
    page.view = "scores"
    assert "choose a whole data set" in text_of(page._view)


def test_choices_are_those_of_the_run(shared, results):
    page = dashboard.pages.MetricsPage(shared)
    assert page.param["source"].objects == ["synthetic", "other", "other, ages 10-80"]
    assert "JPEG quality" in page.param["degradation"].objects


@pytest.mark.parametrize("view", METRICS_VIEWS)
def test_each_view_of_the_metrics_is_drawn_and_read(view, shared, tmp_path, monkeypatch):
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))  # where no other run is
    page = dashboard.pages.MetricsPage(shared, view=view)
    shown = panel(page._view)
    assert parts_of(shown, {"decisions": "Decisions", "crossing": "HTML", "runs": "Alert"}.get(view, "Bokeh"))
    assert len(text_of(page._view)) > 100 and "run `meanface" not in text_of(page._view)


def test_two_runs_of_this_machine_are_compared_and_a_single_one_says_so(shared, results, tmp_path, monkeypatch):
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    alone = dashboard.pages.MetricsPage(shared, view="runs")
    assert "This is the only evaluated run on this machine" in text_of(panel(alone._view))
    other = tmp_path / "runs" / "older"
    scored = results.predictions.copy()
    scored["p_male"] = scored["p_male"].clip(0.3, 0.7)
    artifacts.PREDICTIONS.write(scored, other / "model")
    page = dashboard.pages.MetricsPage(shared, view="runs")
    assert page.param["run"].objects == [results.run.run, "older"] and page.other == "older"
    text = text_of(panel(page._view))
    assert "Log loss" in text and "right in older alone" not in text and "and 0 in older alone" in text
    assert len(parts_of(panel(page._view), "Bokeh")) == 2
    page.other = page.run
    assert "chosen twice" in text_of(panel(page._view))


def test_trials_of_the_search_go_to_the_browser_the_best_first_and_ranges_to_the_address(shared, results):
    page = dashboard.pages.MetricsPage(shared, view="training", brush="value:0.1,0.2")
    (trials,) = parts_of(panel(page._view), "Trials")
    losses = [each["values"][-1] for each in trials.trials]
    assert losses == sorted(results.search["value"].dropna()) and trials.axes[-1]["title"] == "log loss"
    assert all(axis["low"] <= axis["high"] for axis in trials.axes)
    assert trials.brush == "value:0.1,0.2"
    trials.brush = ""
    assert page.brush == ""


def test_the_sources_are_explained_where_they_are_known(shared, results, monkeypatch):
    from analysis.figures import datasheets

    assert datasheets.source_line("more-faces, scut").startswith("scut: SCUT-FBP5500: ")
    assert datasheets.source_line("utkface, ages 10-80").startswith("utkface, ages 10-80: photos")
    page = dashboard.pages.MetricsPage(shared)
    assert type(page._told()).__name__ == "Spacer"  # of made-up sources nothing is known
    monkeypatch.setattr(datasheets, "source_line", lambda name: f"{name}: <photos>")
    assert "synthetic: &lt;photos&gt;." in page._told().object and "What the sources are" in page._told().object


def test_thresholds_the_wrong_way_round_are_those_that_are_served(shared, results):
    from dashboard import address

    page = dashboard.pages.MetricsPage(shared)
    defaults = {name: getattr(page, name) for name in page.in_url}
    for query, (low, high) in {
        "?low=0.9&high=0.1": (page.low, page.high),
        "?low=0.995": (page.low, page.high),
        "?low=0.1&high=0.9": (0.1, 0.9),
    }.items():
        read = address.read(page, page.in_url, query, defaults)
        assert (read["low"], read["high"]) == (low, high)


def test_decisions_begin_as_the_model_is_served_and_follow_the_address(shared, results):
    band = results.metrics.band
    page = dashboard.pages.MetricsPage(shared)
    (decisions,) = parts_of(panel(page._view), "Decisions")
    assert (decisions.low, decisions.high) == (band.low, band.high) == tuple(decisions.served)
    predictions = results.predictions.query("split == 'test'")
    assert sum(len(scores) for labels in decisions.scores.values() for scores in labels.values()) == len(predictions)
    decisions.low = 0.2
    assert page.low == 0.2
    page.high = 0.7
    assert decisions.high == 0.7
    page.source = "other, ages 10-80"
    assert "choose a whole data set" in text_of(page._view)


def test_several_photos_and_a_broken_one_give_a_row_each(shared):
    table = score(
        dashboard.pages.PredictPage(shared),
        [("f.png", FEMALE), ("m.png", MALE), ("u.png", UNCERTAIN), ("broken.jpg", b"no"), ("none.png", NO_FACE)],
    )
    assert list(table.columns) == list(COLUMNS)
    assert list(table["file"]) == ["f.png", "m.png", "u.png", "broken.jpg", "none.png"]
    assert list(table["label"])[:3] == ["female", "male", "uncertain"]
    assert list(table["face"])[:3] == [0, 0, 0]
    assert table["error"].isna().tolist() == [True, True, True, False, False]
    assert "no face found" in table["error"].iloc[4]


def test_the_answer_for_the_browser_has_numbers_and_the_face_as_the_model_sees_it(shared):
    page = dashboard.pages.PredictPage(shared)
    (face,) = asyncio.run(page.score("f.png", FEMALE))["faces"]
    assert face["face"] == 0 and face["label"] == "female" and face["width"] == 48
    assert face["aligned"].startswith("data:image/jpeg;base64,")
    assert asyncio.run(page.score("none.png", NO_FACE))["error"].startswith("no face found")


def test_the_report_reads_back_as_csv_and_parquet(shared):
    page = dashboard.pages.PredictPage(shared)
    table = score(page, [("f, 1.png", FEMALE), ("broken.jpg", b"no")])
    for read in (pd.read_csv(io.StringIO(table.to_csv(index=False))), pd.read_parquet(page._parquet())):
        assert list(read.columns) == list(COLUMNS)
        assert read["file"].tolist() == ["f, 1.png", "broken.jpg"]
        assert read["width"].iloc[0] == 48


def test_rows_of_a_second_photo_follow_the_first_and_clear_forgets_all(shared):
    page = dashboard.pages.PredictPage(shared)
    score(page, [("first.png", FEMALE)])
    assert list(score(page, [("second.png", MALE)])["file"]) == ["first.png", "second.png"]
    page.clear()
    assert page.rows == [] and page.report().empty


def test_a_photo_that_is_too_large_has_a_row_that_says_so(shared):
    table = score(dashboard.pages.PredictPage(shared), [("large.png", b"0" * (MAX_FILE_BYTES + 1))])
    assert "over 10 MB" in table["error"].iloc[0]


def test_reports_are_offered_once_there_is_an_answer(shared):
    page = dashboard.pages.PredictPage(shared)
    shown = panel(page)
    csv = next(button for button in parts_of(shown, "FileDownload") if button.filename == "predictions.csv")
    assert not csv.visible
    score(page, [("f.png", FEMALE)])
    assert csv.visible


@pytest.fixture
def photo_box(monkeypatch):
    """A box for photos, what it passed on, and what it told the browser."""
    from dashboard.pages.photos import PhotoBox

    passed, told = [], []

    async def take(name, data):
        passed.append((name, data))
        return {"faces": []}

    async def explain(data):
        return {"heat": data.decode()}

    monkeypatch.setattr("panel.state.execute", lambda work: asyncio.run(work()))
    monkeypatch.setattr(PhotoBox, "_send_msg", lambda self, message: told.append(message))
    box = PhotoBox(take, lambda name, error: passed.append((name, error)), explain, {"sample.jpg": MALE})
    return box, passed, told


def test_a_face_is_explained_on_demand_one_at_a_time(photo_box):
    box, _, told = photo_box
    asked = {"type": "explain", "name": "a.png", "data": b"pixels"}
    box._handle_msg(asked)
    box._explaining = True
    box._handle_msg(asked)
    assert told == [{"type": "explained", "heat": "pixels"}]


def test_a_map_that_fails_is_answered_and_the_next_one_is_made(photo_box):
    box, _, told = photo_box
    box._handle_msg({"type": "explain", "name": "a.png", "data": b"\xff"})
    box._handle_msg({"type": "explain", "name": "a.png", "data": b"pixels"})
    assert told == [{"type": "explained", "error": told[0]["error"]}, {"type": "explained", "heat": "pixels"}]


def test_the_heat_of_a_face_is_computed_from_what_the_model_saw(shared):
    page = dashboard.pages.PredictPage(shared)
    frame = photo(120, size=(109, 89), kind="JPEG")
    told = asyncio.run(page.explain(frame))
    assert len(base64.b64decode(told["heat"])) == 4 * 109 * 89 and told["seconds"] >= 0
    for wrong in (b"", b"no picture", FEMALE, photo(None, size=(2000, 2000))):
        assert asyncio.run(page.explain(wrong))["error"].startswith("that is no face as the model sees it")


def test_a_photo_arrives_in_pieces_is_answered_and_leaves_nothing(photo_box):
    box, passed, told = photo_box
    for number, piece in enumerate((FEMALE[:50], FEMALE[50:])):
        box._handle_msg({"type": "piece", "id": "p1", "name": "a.png", "last": number == 1, "data": piece})
    box._handle_msg({"type": "sample", "id": "p2", "name": "sample.jpg"})
    box._handle_msg({"type": "refused", "name": "notes.txt", "error": "not a photo"})
    assert passed == [("a.png", FEMALE), ("sample.jpg", MALE), ("notes.txt", "not a photo")]
    assert [message["id"] for message in told] == ["p1", "p2"]
    assert not box._data


def test_a_photo_that_stops_half_way_does_not_spoil_the_next(photo_box):
    box, passed, _ = photo_box
    box._handle_msg({"type": "piece", "id": "p1", "name": "a.png", "last": False, "data": b"half"})
    box._handle_msg({"type": "piece", "id": "p2", "name": "b.png", "last": True, "data": FEMALE})
    assert passed == [("b.png", FEMALE)]


def test_no_client_can_fill_the_memory_or_stop_the_page_with_odd_messages(photo_box):
    box, passed, _ = photo_box
    for _ in range(5):
        box._handle_msg({"type": "piece", "id": "p1", "name": "a", "last": False, "data": b"0" * (4 * 2**20)})
    assert len(box._data) < MAX_FILE_BYTES + 4 * 2**20 + 1
    odd = (
        {},
        {"type": "piece", "name": "a"},
        {"type": "sample", "id": "p", "name": "none.jpg"},
        {"type": 1, "name": 2},
        [],
        None,
    )
    for message in odd:
        box._handle_msg(message)
    assert passed == []


def test_the_sample_pack_holds_the_test_faces_of_both_labels():
    from dashboard.pages.predict import sample_pack, samples

    with zipfile.ZipFile(io.BytesIO(sample_pack())) as pack:
        names = pack.namelist()
    assert len(names) == len(samples()) > 2
    assert {name.split("-")[0] for name in names} == {"female", "male"}


def test_examples_are_told_apart_by_language(tmp_path):
    from dashboard.pages.api import examples

    (tmp_path / "predict.sh").write_text("curl ...\n")
    (tmp_path / "predict.py").write_text("import httpx\n")
    (tmp_path / "notes.txt").write_text("not an example")
    assert list(examples(tmp_path).items()) == [("curl", "curl ..."), ("Python", "import httpx")]


def test_endpoints_are_those_of_the_api(shared):
    assert ("POST", "/api/v1/predict") in [
        (method, path) for method, path, _ in dashboard.pages.ApiPage(shared).endpoints()
    ]


def test_the_data_page_hides_what_the_view_does_not_use(shared):
    page = dashboard.pages.DataPage(shared)
    shown = panel(page)
    (search,) = parts_of(shown, "TextInput")
    assert search.visible
    page.view = "cooccurrence"
    assert not search.visible
    assert "are correlated most" in text_of(shown)


def test_the_data_page_shows_people_and_likely_mistakes(shared):
    page = dashboard.pages.DataPage(shared)
    page.param.update(scope="metadata", people="labels", mistakes="duplicates")
    said = text_of(page)
    assert "have both labels" in said
    assert "duplicate an earlier one" in said
    page.mistakes = "doubts"
    assert "confident learning estimates" in text_of(page)
