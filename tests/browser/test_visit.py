"""A visitor's walk through report, explorer and API docs, in a real Chromium against the real server."""

import re
import zipfile

import pytest

from analysis.data.sources import demo_source

pytestmark = pytest.mark.browser

EXPLORER = {
    "/explore": "Data",
    "/explore/faces": "Faces",
    "/explore/hypothesis": "Hypothesis",
    "/explore/metrics": "Metrics",
    "/explore/predict": "Predict",
    "/explore/api": "API",
}
LABEL = re.compile("^(female|male|uncertain)$")


def open_explorer(page, address):
    page.goto(address)
    page.locator("#shell").wait_for(state="detached")
    page.wait_for_load_state("networkidle")


def has_no_horizontal_scroll(page):
    return page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")


def composite():
    with zipfile.ZipFile(demo_source()) as archive:
        name = min(name for name in archive.namelist() if "/Test/Female/" in name and name.endswith(".jpg"))
        return {"name": "composite.jpg", "mimeType": "image/jpeg", "buffer": archive.read(name)}


def test_the_report_opens(page, server, complaints):
    page.goto(f"{server}/")
    page.get_by_role("heading", level=1).first.wait_for()
    page.wait_for_load_state("networkidle")
    assert complaints == []


@pytest.mark.parametrize("path", EXPLORER)
def test_every_page_of_the_explorer_opens_and_fits(page, server, complaints, path):
    open_explorer(page, server + path)
    page.get_by_role("heading", level=1, name=EXPLORER[path], exact=True).wait_for()
    if path not in ("/explore/predict", "/explore/api"):
        page.locator(".bk-Figure, .bk-GridPlot").first.wait_for()
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_the_api_docs_open(page, server, complaints):
    page.goto(f"{server}/api/docs")
    page.get_by_text("/api/v1/predict").first.wait_for()
    assert complaints == []


def test_the_split_that_the_address_names_is_shown_and_a_click_changes_the_address(page, server, complaints):
    open_explorer(page, f"{server}/explore/metrics?split=validation")
    page.get_by_role("button", name="Validation", exact=True, pressed=True).wait_for()
    page.get_by_role("button", name="Test", exact=True).click()
    page.wait_for_url(re.compile("split=test"))
    assert complaints == []


def test_a_photo_and_a_broken_file_have_their_rows(page, server, complaints):
    open_explorer(page, f"{server}/explore/predict")
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"not a photo"}
    page.locator("input[type=file]").set_input_files([composite(), broken])
    page.get_by_text("composite.jpg").wait_for()
    assert page.locator(".label").filter(has_text=LABEL).count() == 1
    page.get_by_text("not a photo that can be read").wait_for()
    assert has_no_horizontal_scroll(page)
    with page.expect_download() as download:
        page.get_by_text("Report as CSV").click()
    assert download.value.suggested_filename == "predictions.csv"
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("composite.jpg").wait_for(state="detached")
    assert complaints == []
