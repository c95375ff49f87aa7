"""Every page of the explorer, the views with most in them, and the report, as axe-core sees them."""

import pytest
from test_visit import axe_violations, open_explorer

pytestmark = pytest.mark.browser

ADDRESSES = {
    "light": (
        "/explore",
        "/explore/data",
        "/explore/faces",
        "/explore/hypothesis?view=more_than_styling",
        "/explore/hypothesis?view=elsewhere",
        "/explore/metrics",
        "/explore/metrics?view=accuracy",
        "/explore/metrics?view=groups",
        "/explore/predict",
        "/explore/api",
    ),
    "dark": ("/explore/faces?view=effect", "/explore/metrics", "/explore/predict"),
}


@pytest.mark.parametrize("theme", ADDRESSES)
def test_axe_finds_nothing(browser, server, theme):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    found = {}
    for address in ADDRESSES[theme]:
        open_explorer(page, server + address)
        if violations := axe_violations(page):
            found[address] = violations
    context.close()
    assert found == {}


REPORT = (
    "index",
    "summary",
    "data",
    "faces",
    "hypothesis",
    "shape",
    "metrics",
    "training",
    "model-card",
    "api",
    "reproduce",
    "glossary",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_report(browser, server, theme):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    found = {}
    for name in REPORT[:: 1 if theme == "light" else 3]:
        page.goto(f"{server}/site/{name}.html", wait_until="load")
        if violations := axe_violations(page):
            found[name] = violations
    context.close()
    assert found == {}
