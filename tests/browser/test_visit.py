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
    page.wait_for_url(re.compile("/metrics$"))  # it is the default, which an address does not name
    page.get_by_role("button", name="Validation", exact=True).click()
    page.wait_for_url(re.compile("split=validation"))
    assert complaints == []


def test_back_and_forward_change_the_page_and_leave_it_where_it_was_opened(page, server, complaints):
    def shown(view):
        page.get_by_role("button", name=view, exact=True, pressed=True).wait_for()

    page.goto(f"{server}/api/docs")
    open_explorer(page, f"{server}/explore/metrics?view=nonsense")
    page.wait_for_url(re.compile("/metrics$"))
    for view in ("Scores", "Groups"):
        page.get_by_role("button", name=view, exact=True).click()
        page.wait_for_url(re.compile(f"view={view.lower()}"))
    page.go_back()
    shown("Scores")
    page.go_back()
    shown("Accuracy")
    page.go_forward()
    shown("Scores")
    page.wait_for_timeout(500)  # what the server answers must not change the address
    assert page.url.endswith("?view=scores")
    page.go_back()
    shown("Accuracy")
    page.go_back()
    page.wait_for_url(re.compile("/api/docs"))
    assert complaints == []


def is_dark(page):
    red, green, blue = map(
        int, re.findall(r"\d+", page.locator("main").evaluate("e => getComputedStyle(e).backgroundColor"))[:3]
    )
    return red + green + blue < 200


def test_the_theme_is_the_systems_until_one_is_chosen_which_every_page_remembers(page, server, complaints):
    page.emulate_media(color_scheme="dark")
    open_explorer(page, f"{server}/explore/api")
    assert is_dark(page)
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(300)
    assert not is_dark(page)
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_timeout(300)
    assert is_dark(page)
    open_explorer(page, f"{server}/explore/hypothesis")
    assert is_dark(page)
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"  # before the page is there
    assert complaints == []


def test_the_skip_link_leads_to_the_content_and_keys_scroll_at_once(page, server, complaints):
    open_explorer(page, f"{server}/explore/hypothesis")
    page.keyboard.press("PageDown")
    page.wait_for_function("window.scrollY > 200")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.locator("h1:focus").wait_for()
    assert complaints == []


def test_the_bar_with_the_pages_stays_in_sight(page, server, complaints):
    open_explorer(page, f"{server}/explore/hypothesis")
    page.mouse.wheel(0, 700)
    page.wait_for_function("window.scrollY > 200")
    if page.viewport_size["width"] < 860:
        page.locator("summary").click()
    link = page.get_by_role("link", name="Predict", exact=True)
    assert link.bounding_box()["y"] > 0
    link.click()
    page.wait_for_url(re.compile("/explore/predict"))
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
