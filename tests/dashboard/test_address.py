"""The query of a page's address: state in, text out, and back."""

import param
import pytest

NAMES = ("view", "top", "share", "only", "search", "filter", "offered")


class Page(param.Parameterized):
    """A page with a parameter of each kind."""

    view = param.Selector(default="a", objects={"First": "a", "Second": "b"})
    top = param.Selector(default=10, objects={"Ten": 10, "All": 40})
    share = param.Number(default=0.5, bounds=(0, 1))
    only = param.Boolean(default=False)
    search = param.String(default="")
    filter = param.Integer(default=0, bounds=(0, 3))
    offered = param.Selector(default="x", objects={"X": "x", "Y": "y"}, check_on_set=False)


class Location(param.Parameterized):
    """Stands in for Panel's, which a browser's session has."""

    search = param.String(default="")


def following(search="", kind=Page):
    from dashboard import address

    page, location = kind(), Location(search=search)
    address.follow(page, NAMES, location)
    return page, location


def test_an_address_names_only_what_differs_from_the_defaults():
    page, location = following()
    assert location.search == ""
    page.param.update(view="b", only=True)
    assert location.search == "?view=b&only=true"
    page.param.update(view="a", only=False)
    assert location.search == ""


def test_a_page_starts_as_its_address_says():
    page, location = following("?view=b&top=40&share=0.25&only=true&search=hair+colour&filter=2")
    assert (page.view, page.top, page.share, page.only, page.search, page.filter) == (
        "b",
        40,
        0.25,
        True,
        "hair colour",
        2,
    )
    assert location.search == "?view=b&top=40&share=0.25&only=true&search=hair+colour&filter=2"


@pytest.mark.parametrize(
    "query",
    [
        "?view=nonsense",
        "?offered=nonsense",
        "?top=11",
        "?share=2",
        "?share=nan%00",
        "?only=maybe",
        "?filter=9",
        "?filter=x",
        "?other=1",
        "?view",
    ],
)
def test_a_value_that_is_not_valid_is_replaced_by_the_default_in_page_and_address(query):
    from dashboard import address

    page, location = following(query)
    assert address.write(page, NAMES, {name: Page.param[name].default for name in NAMES}) == ""
    assert location.search == ""


def test_going_back_restores_what_the_earlier_address_no_longer_names():
    page, location = following()
    page.view = "b"
    page.search = "hair"
    location.search = "?view=b"
    assert (page.view, page.search) == ("b", "")
    location.search = ""
    assert page.view == "a"
    location.search = "?view=b&search=hair"
    assert (page.view, page.search) == ("b", "hair")


def test_what_means_nothing_stays_in_the_page_and_comes_into_no_address():
    class Picky(Page):
        def spoilt(self, values, refused):
            return ["search"] if values["search"] == "label ==" else []

    page, location = following(kind=Picky)
    page.search = "hair"
    page.search = "label =="  # typed: the page says what is wrong with it
    assert (page.search, location.search) == ("label ==", "?search=hair")
    page.search = "eyes"
    assert location.search == "?search=eyes"
    location.search = "?search=label+=="  # opened
    assert (page.search, location.search) == ("", "")


def test_links_of_the_report_open_what_they_say() -> None:
    from urllib.parse import parse_qs, urlsplit

    from analysis import figures
    from analysis.figures.guide import guide_of
    from dashboard.pages import PAGES

    modules = [getattr(figures, name) for name in figures.__all__]
    guides = [guide for module in modules for made in vars(module).values() if (guide := guide_of(made)) is not None]
    views = {guide.view for guide in guides if guide.view is not None}
    assert len(views) > 10
    pages = {page.path.removeprefix("/explore").strip("/"): page for page in PAGES}
    for view in views:
        parts = urlsplit(view)
        page = pages[parts.path]
        for name, (value,) in parse_qs(parts.query).items():
            assert name in page.in_url, view
            assert value in page.param[name].objects, view
