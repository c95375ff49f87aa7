"""The explorer's pages without a browser: their state, and what follows from it."""

import asyncio
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from fakes import FEMALE, MALE, NO_FACE, UNCERTAIN
from shown import panel, parts_of, text_of

import dashboard
from analysis import averages
from analysis.averages.base import check_size
from analysis.core.errors import UserError
from analysis.core.words import p_value, percent
from analysis.results import Results
from dashboard.scoring import Scorer
from dashboard.uploads import MAX_FILE_BYTES, MAX_FILES
from model.predictions import COLUMNS

PAGES = ("DataPage", "FacesPage", "HypothesisPage", "MetricsPage", "PredictPage", "ApiPage")
HYPOTHESIS_VIEWS = ("effect", "parts", "styling", "prediction", "elsewhere", "controls")
METRICS_VIEWS = ("accuracy", "scores", "groups", "robustness", "explanation", "training")


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
    asyncio.run(page.score(photos))
    return page.report()


def test_every_page_and_view_is_tested():
    pages = dashboard.pages
    assert tuple(page.__name__ for page in pages.PAGES) == PAGES
    assert tuple(pages.HypothesisPage.param["view"].objects) == HYPOTHESIS_VIEWS
    assert tuple(pages.MetricsPage.param["view"].objects) == METRICS_VIEWS


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
    assert applications["/explore/faces"]().meta.title == "Faces - meanface"


def test_the_navigation_marks_the_page_and_leads_to_report_and_api_docs():
    from dashboard import chrome

    links = chrome.navigation("/explore/faces")
    assert '<a href="./faces" aria-current="page">Faces</a>' in links
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


def test_a_name_that_no_attribute_has_is_told(shared):
    with pytest.raises(UserError, match="no attribute is called “beret”"):
        dashboard.pages.DataPage(shared, search="beret").attributes()


@pytest.mark.parametrize("view", ["average", "spread", "difference"])
def test_each_view_of_the_faces_is_drawn_and_read(view, shared):
    from dashboard.pages.faces import VIEWS

    drawn = VIEWS[view].show(dashboard.pages.FacesPage(shared))
    assert parts_of(drawn, "HoloViews")
    assert len(text_of(drawn)) > 20


@pytest.mark.parametrize("contrast", ["difference", "certainty"])
def test_two_published_subsets_are_compared(contrast, shared):
    page = dashboard.pages.FacesPage(shared, first="label == 'female' and Smiling", contrast=contrast)
    assert len(parts_of(page._comparison, "HoloViews")) == 2
    assert "150 faces" in text_of(page._comparison)
    page.second = page.first
    assert "150 faces are in both" in text_of(page._comparison)


def test_a_filter_that_is_not_published_is_told_where_the_data_is_not_here(shared):
    page = dashboard.pages.FacesPage(shared, first="Bald")
    assert "not among the published subsets" in text_of(dashboard.parts.later(page._comparison))
    assert "Only the published averages can be chosen" in text_of(page._choosers())


def test_choosing_a_subset_by_name_sets_its_filter_and_back(shared):
    page = dashboard.pages.FacesPage(shared)
    choosers = page._choosers()
    first, _ = parts_of(choosers, "Select")
    assert first.value == "female" and not parts_of(choosers, "TextInput")
    first.value = "male, eyeglasses"
    assert page.first == "label == 'male' and Eyeglasses"
    page.first = "label == 'male'"
    assert first.value == "male"


class Refusing:
    """Stands in for data that is here."""

    def compare(self, first, second):
        if first == "Smiling and":
            raise UserError("the filter cannot be read")
        check_size({"Bald": 0, "identity == 5": 1}[first], "the first subset")


@pytest.mark.parametrize(
    ("expression", "said"),
    [("Bald", "is empty"), ("identity == 5", "a single face: an average of fewer than 16"), ("Smiling and", "be read")],
)
def test_an_empty_a_single_and_a_malformed_subset_are_told(expression, said, shared, monkeypatch):
    monkeypatch.setattr("dashboard.pages.faces.subset_source", lambda results: Refusing())
    assert said in text_of(dashboard.parts.later(dashboard.pages.FacesPage(shared, first=expression)._comparison))


def test_where_the_data_is_here_any_filter_can_be_typed(shared, monkeypatch):
    monkeypatch.setattr(
        "dashboard.pages.faces.subset_source", lambda results: averages.LiveSubsets(pd.DataFrame(), None)
    )
    page = dashboard.pages.FacesPage(shared)
    choosers = page._choosers()
    typed, _ = parts_of(choosers, "TextInput")
    typed.value = "Smiling and not Young"
    assert page.first == "Smiling and not Young"
    assert parts_of(choosers, "Select")[0].value == "a filter of your own"


def test_the_effect_map_leaves_chance_out_on_demand(shared):
    page = dashboard.pages.HypothesisPage(shared)

    def pixels():
        (maps, *_) = parts_of(page._view(), "HoloViews")
        return np.isfinite(np.concatenate([image.dimension_values("value") for image in maps.object])).mean()

    assert pixels() == 1
    page.beyond_chance = True
    assert pixels() < 1


@pytest.mark.parametrize("view", HYPOTHESIS_VIEWS)
def test_each_view_of_the_hypothesis_is_drawn_and_read(view, shared):
    page = dashboard.pages.HypothesisPage(shared, view=view)
    for channel in ("L", "all"):
        page.channel = channel
        assert parts_of(page._view(), "HoloViews")
        assert len(text_of(page._view())) > 100 and "run `meanface" not in text_of(page._view())


def test_the_hypothesis_without_another_data_set_says_how_to_compare(shared, results):
    alone = Results(results.folder)
    alone.__dict__["elsewhere"] = results.elsewhere.iloc[:0]
    page = dashboard.pages.HypothesisPage(dashboard.Shared(alone, shared.scorer), view="elsewhere")
    assert "--compare" in text_of(page._view())


def test_the_verdict_writes_p_as_the_report_does(shared, results):
    tested = results.hypothesis.largest_in_face.p_value
    assert p_value(tested) in text_of(dashboard.pages.HypothesisPage(shared)._verdict())


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
def test_each_view_of_the_metrics_is_drawn_and_read(view, shared):
    page = dashboard.pages.MetricsPage(shared, view=view)
    shown = panel(page._view)
    assert parts_of(shown, "HoloViews")
    assert len(text_of(page._view)) > 100 and "run `meanface" not in text_of(page._view)


def test_several_photos_and_a_broken_one_give_a_row_each(shared):
    table = score(
        dashboard.pages.PredictPage(shared),
        [("f.png", FEMALE), ("m.png", MALE), ("u.png", UNCERTAIN), ("broken.jpg", b"no"), ("none.png", NO_FACE)],
    )
    assert list(table.columns) == list(COLUMNS)
    assert list(table["file"]) == ["f.png", "m.png", "u.png", "broken.jpg", "none.png"]
    assert list(table["label"])[:3] == ["female", "male", "uncertain"]
    assert table["error"].isna().tolist() == [True, True, True, False, False]
    assert "no face found" in table["error"].iloc[4]


def test_the_report_reads_back_as_csv(shared):
    page = dashboard.pages.PredictPage(shared)
    table = score(page, [("f, 1.png", FEMALE), ("broken.jpg", b"no")])
    read = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert list(read.columns) == list(COLUMNS)
    assert read["file"].tolist() == ["f, 1.png", "broken.jpg"]
    assert read["width"].iloc[0] == 48


def test_rows_of_a_second_upload_follow_the_first_and_clear_forgets_all(shared):
    page = dashboard.pages.PredictPage(shared)
    score(page, [("first.png", FEMALE)])
    assert list(score(page, [("second.png", MALE)])["file"]) == ["first.png", "second.png"]
    page.clear()
    assert page.rows == [] and page.report().empty


def test_progress_is_told_while_photos_are_scored_and_gone_after(shared):
    page = dashboard.pages.PredictPage(shared)
    seen = []
    page.param.watch(lambda event: seen.append((page.done, page.total)), "done")
    score(page, [("f.png", FEMALE), ("m.png", MALE)])
    assert (1, 2) in seen and (2, 2) in seen
    assert page.total == 0


def test_too_many_photos_are_refused_as_a_whole(shared):
    page = dashboard.pages.PredictPage(shared)
    score(page, [("f.png", FEMALE)] * (MAX_FILES + 1))
    assert page.rows == [] and str(MAX_FILES) in page.message


def test_a_photo_that_is_too_large_has_a_row_that_says_so(shared):
    table = score(dashboard.pages.PredictPage(shared), [("large.png", b"0" * (MAX_FILE_BYTES + 1))])
    assert "over 10 MB" in table["error"].iloc[0]


def test_a_file_name_cannot_bring_markup_into_the_table(shared):
    page = dashboard.pages.PredictPage(shared)
    score(page, [("<img src=x onerror=alert(1)>.png", FEMALE), ("<b>.png", b"no")])
    said = text_of(page._results)
    assert "<img src=x" not in said and "<b>" not in said and "&lt;b&gt;" in said


def test_an_upload_leaves_no_bytes_in_the_widget(monkeypatch):
    from dashboard.pages.predict import PhotoInput

    taken = []

    async def take(photos):
        taken.extend(photos)

    monkeypatch.setattr("panel.state.execute", lambda work: asyncio.run(work()))
    upload = PhotoInput(take)
    for name, data in (("a.png", FEMALE), ("b.png", MALE)):
        upload._process_chunk({"name": name, "chunk": 1, "total_chunks": 1, "mime_type": "image/png", "data": data})
    upload._flush_buffer()
    assert taken == [("a.png", FEMALE), ("b.png", MALE)]
    assert upload.value is None and not upload._buffer and not upload._file_buffer


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
    assert examples(tmp_path) == {"Python": "import httpx", "curl": "curl ..."}


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
