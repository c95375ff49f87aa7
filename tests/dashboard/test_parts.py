"""What pages are built from: parts that are made again when what they depend on changes, and views."""

import asyncio
import re
from functools import cache, partial, wraps
from types import SimpleNamespace

import pandas as pd
import pytest
from shown import panel, parts_of

import dashboard
from analysis.core.errors import UserError
from analysis.results import Results
from model.predict import FacePrediction
from model.predictions import COLUMNS


@cache
def page_class():
    import panel as pn
    import param

    import analysis.figures.theme  # noqa: F401 - makes Bokeh the backend

    class Page(pn.viewable.Viewer):
        """A page with two parameters."""

        a = param.Integer(1)
        b = param.Integer(1)
        results = SimpleNamespace(numbers=[1, 2, 3])

        @param.depends("a")
        def made(self):
            if self.a < 0:
                raise UserError("run `meanface study`")
            return dashboard.parts.text(f"a is {self.a}")

        def fixed(self):
            return dashboard.parts.text("fixed")

        @dashboard.parts.or_notice
        @param.depends("a")
        def decorated(self):
            return self.made()

        @param.depends("b")
        def doubled(self):
            return 2 * self.b

        @property
        def missing(self):
            raise UserError("run `meanface train`")

    return Page


def Page(**params):
    """An instance of it."""
    return page_class()(**params)


def wrapped(make):
    """Wrap as a decorator of somebody else would."""

    @wraps(make)
    def other(*args):
        return make(*args)

    return other


def waiting(page, how):
    """A function that makes a part of ``page`` and depends on its ``a``."""
    import panel as pn

    parts = dashboard.parts
    return {
        "method": lambda: page.made,
        "decorated method": lambda: page.decorated,
        "method or notice": lambda: parts.or_notice(page.made),
        "wrapped method": lambda: wrapped(page.made),
        "partial of a wrapped method": lambda: partial(wrapped(parts.or_notice(page.made))),
        "bound lambda": lambda: pn.bind(lambda a: parts.text(f"a is {a}"), page.param.a),
        "bound lambda or notice": lambda: parts.or_notice(pn.bind(lambda a: parts.text(f"a is {a}"), page.param.a)),
    }[how]()


WAYS = (
    "method",
    "decorated method",
    "method or notice",
    "wrapped method",
    "partial of a wrapped method",
    "bound lambda",
    "bound lambda or notice",
)


@pytest.mark.parametrize("how", WAYS)
def test_lambdas_and_wrapped_methods_keep_what_they_depend_on(how):
    page = Page()
    assert dashboard.parts.dependencies(waiting(page, how)) == [page.param.a]


@pytest.mark.parametrize("how", WAYS)
def test_a_part_shown_later_is_made_again_when_what_it_depends_on_changes(how):
    page = Page()

    async def walk():
        shown = dashboard.parts.later(waiting(page, how))
        return await value_of(shown), setattr(page, "a", 5), await value_of(shown)

    first, _, second = asyncio.run(walk())
    assert (first.object, second.object) == ("a is 1", "a is 5")


@pytest.mark.parametrize("how", ["method or notice", "decorated method"])
def test_panel_itself_follows_a_part_or_notice(how):
    page = Page()
    shown = panel(waiting(page, how))
    shown.get_root()
    page.a = -1
    assert [notice.object for notice in parts_of(shown, "Alert")] == ["Run `meanface study`."]
    page.a = 3
    assert [pane.object for pane in parts_of(shown, "Markdown")] == ["a is 3"]


def test_a_lambda_depends_on_the_parameters_named_with_it():
    page = Page()
    shown = dashboard.parts.later(lambda: [page.made()], page.param.a)
    assert dashboard.parts.dependencies(shown[0].object) == [page.param.a]


def test_a_part_waits_visibly_until_it_is_drawn_also_where_a_newer_change_takes_its_place():
    import param

    class Numbers(param.Parameterized):
        a = param.Integer()

    numbers = Numbers()

    async def walk():
        place = dashboard.parts.deferred(lambda: dashboard.parts.text("drawn"), [numbers.param.a])
        draw = place[0].object
        lock = dashboard.parts._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:  # another figure is being drawn
            first = asyncio.ensure_future(draw())
            await asyncio.sleep(0)
            second = asyncio.ensure_future(draw())
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
            waiting = place.loading
        await second
        return waiting, place.loading

    assert asyncio.run(walk()) == (True, False)


def test_a_method_without_dependencies_is_made_once():
    assert dashboard.parts.dependencies(Page().fixed) == []


def test_a_missing_result_is_a_notice_in_place_of_the_part():
    notice = dashboard.parts.or_notice(Page(a=-1).made)()
    assert type(notice).__name__ == "Alert"
    assert notice.object == "Run `meanface study`."


async def value_of(shown):
    """What a part shown later makes, as a browser's session would have it."""
    return await shown[0].object()


def curve(numbers, factor):
    import holoviews as hv

    return hv.Curve([factor * number for number in numbers])


def test_a_view_draws_and_reads_parameters_methods_and_results_by_name():
    page = Page(b=4)
    view = dashboard.parts.View("Title", curve, lambda factor: f"times {factor}", "numbers doubled", "doubled")
    drawn = view.show(page)
    (pane,) = parts_of(drawn, "Bokeh")
    assert pane.object.renderers[0].data_source.data["y"].tolist() == [8, 16, 24]
    assert [text.object for text in parts_of(drawn, "Markdown")] == ["times 8"]


def test_what_was_drawn_with_the_same_state_is_not_drawn_again_and_each_session_has_models_of_its_own():
    from dashboard.drawn import Drawn

    times = []

    def counted(numbers, factor):
        times.append(factor)
        return curve(numbers, factor)

    view = dashboard.parts.View("", counted, None, "numbers doubled")
    kept = SimpleNamespace(drawn=Drawn())
    pages = [type("Shared", (page_class(),), {"shared": kept})(b=b) for b in (1, 2)]
    same = type(pages[0])(b=1)
    figures = [parts_of(view.show(page), "Bokeh")[0].object for page in (pages[0], same, pages[0])]
    names = [{model.id for model in figure.references()} for figure in figures]
    assert times == [2] and not names[0] & names[1] and not names[0] & names[2]
    assert view.show(pages[1]) is not None and times == [2, 4]
    assert {figure.renderers[0].data_source.data["y"].tolist()[-1] for figure in figures} == {6}


def test_a_view_depends_on_the_parameters_that_its_arguments_depend_on():
    page = Page()
    of_both = dashboard.parts.View("", curve, str, "numbers doubled", "a").later(page)
    assert {parameter.name for parameter in dashboard.parts.dependencies(of_both[0].object)} == {"a", "b"}
    of_results = dashboard.parts.View("", curve, None, "numbers missing").later(page)
    assert dashboard.parts.dependencies(of_results[0].object) == []


def test_views_without_a_title_stand_in_the_section_before(monkeypatch):
    monkeypatch.setattr(dashboard.parts.View, "later", lambda view, page: dashboard.parts.text(view.needs))
    views = [
        dashboard.parts.View("One", curve, None, "a"),
        dashboard.parts.View("", curve, None, "b"),
        dashboard.parts.View("Two", curve, None, "c", about="why"),
    ]
    said = [
        [pane.object.strip() for pane in parts_of(part, "Markdown")] for part in dashboard.parts.sections(None, views)
    ]
    assert said == [["## One", "a", "b"], ["## Two\n\nwhy", "c"]]


def test_a_table_names_its_rows_escapes_cells_and_cuts_no_sentence():
    frame = pd.DataFrame({"Answer": ["<b>", "x" * 200]}, index=pd.Index(["first", "second"], name="Question"))
    markup = dashboard.parts.table(frame).object
    assert re.findall("<th>(.*?)</th>", markup) == ["Question", "Answer", "first", "second"]
    assert "&lt;b&gt;" in markup and "x" * 200 in markup
    unnamed = dashboard.parts.table(frame.rename_axis(index=None), numbers=True).object
    assert "<th></th>" not in unnamed and 'class="dataframe numbers"' in unnamed


def test_the_fields_of_a_face_are_the_same_in_prediction_api_and_report():
    fields = list(FacePrediction.__dataclass_fields__)
    assert list(dashboard.api.Face.model_fields) == fields
    assert list(COLUMNS) == ["file", *fields, "error"]


def test_a_view_of_an_optional_result_that_the_run_lacks_is_left_out(tmp_path):
    class Page(page_class()):
        results = Results(tmp_path)

    views = [
        dashboard.parts.View("Optional", str, None, "learning learning_record"),
        dashboard.parts.View("", str, None, "promise"),
        dashboard.parts.View("Always there", str, None, "groups"),
    ]

    def titles() -> list[str]:
        shown = dashboard.parts.sections(Page(), views)
        return [pane.object.strip("# ").strip() for part in shown for pane in parts_of(part, "Markdown")[:1]]

    assert titles() == ["Always there"]
    (tmp_path / "model").mkdir()
    (tmp_path / "model/promise.parquet").touch()
    assert titles() == ["Optional", "Always there"]
