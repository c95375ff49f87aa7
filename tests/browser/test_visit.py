"""A visitor's walk through report, explorer and API docs, in a real Chromium against the real server."""

import re
import zipfile

import pytest
from axe_playwright_python.sync_playwright import Axe

from analysis.core.schema import LABELS
from analysis.data.sources import demo_source
from analysis.results import published

pytestmark = pytest.mark.browser

EXPLORER = {
    "/explore": "Every face",
    "/explore/data": "Data",
    "/explore/faces": "Average faces",
    "/explore/hypothesis": "Hypothesis",
    "/explore/metrics": "Metrics",
    "/explore/predict": "Predict",
    "/explore/api": "API",
}
LABEL = re.compile("^(female|male|uncertain)$")  # an answer


def open_explorer(page, address):
    page.goto(address)
    page.locator("#shell").wait_for(state="detached")
    page.wait_for_load_state("networkidle")


def axe_violations(page):
    """What axe-core finds, with the elements that it found it in.

    Controls change their colours for some hundred milliseconds once the theme is known: what is gone then is no fault.
    """
    for _ in range(10):
        found = Axe().run(page).response["violations"]
        if not found:
            break
        page.wait_for_timeout(500)
    return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]


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
    if path in ("/explore", "/explore/data", "/explore/faces", "/explore/hypothesis"):
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
    shown("Decisions")
    page.go_forward()
    shown("Scores")
    page.wait_for_timeout(500)  # what the server answers must not change the address
    assert page.url.endswith("?view=scores")
    page.go_back()
    shown("Decisions")
    page.go_back()
    page.wait_for_url(re.compile("/api/docs"))
    assert complaints == []


def is_dark(page):
    red, green, blue = map(
        int, re.findall(r"\d+", page.locator("main").evaluate("e => getComputedStyle(e).backgroundColor"))[:3]
    )
    return red + green + blue < 200


LIGHT_PARTS = """(() => {
    window.light = 0;
    const light = (within) => [...within.querySelectorAll("*")].some((each) =>
        each.matches(".mui-light") || (each.shadowRoot && light(each.shadowRoot)));
    const look = () => { window.light += light(document); requestAnimationFrame(look); };
    look();
})()"""


def test_a_dark_page_is_dark_before_it_is_seen(page, server, complaints):
    page.emulate_media(color_scheme="dark")
    page.add_init_script(LIGHT_PARTS)
    open_explorer(page, f"{server}/explore/metrics?view=robustness")
    page.locator(".bk-Figure").first.wait_for()  # what is made later than the page, too
    assert is_dark(page)
    assert page.evaluate("window.light") == 0
    assert complaints == []


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


def file(name, kind, data):
    return {"name": name, "mimeType": kind, "buffer": data}


def test_good_photos_are_scored_and_each_bad_file_has_a_sentence(page, server, complaints):
    open_explorer(page, f"{server}/explore/predict")
    page.locator("input[type=file]").set_input_files(
        [
            file("notes.txt", "text/plain", b"hello"),
            file("large.jpg", "image/jpeg", b"\xff\xd8\xff" + b"0" * (12 * 2**20)),
            file("empty.png", "image/png", b""),
            composite(),
            file("broken.jpg", "image/jpeg", b"not a photo"),
        ]
    )
    page.get_by_text("1 photo, 1 face:", exact=False).wait_for()
    page.get_by_text("4 files without an answer", exact=False).wait_for()
    sentences = page.locator("article.failed .problem").all_text_contents()
    assert len(sentences) == 4 and all(sentences)
    assert any("over 10 MB" in sentence for sentence in sentences)
    assert page.locator("article.scored .label").filter(has_text=LABEL).count() == 1
    assert page.locator("article .name").or_(page.locator("article > b")).first.text_content().startswith("broken.jpg")
    assert page.locator("article.scored").bounding_box()["y"] < 900 or page.viewport_size["width"] < 700
    assert has_no_horizontal_scroll(page)
    with page.expect_download() as download:
        page.get_by_text("Report as CSV").click()
    assert download.value.suggested_filename == "predictions.csv"
    assert len(download.value.path().read_text().splitlines()) == 6
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("composite.jpg").wait_for(state="detached")
    assert complaints == []


def test_a_box_and_its_row_light_up_together_and_names_bring_no_markup(page, server, complaints):
    open_explorer(page, f"{server}/explore/predict")
    photo = composite()
    page.locator("input[type=file]").set_input_files([photo | {"name": "<img src=x onerror=alert(1)>.jpg"}])
    page.get_by_text("<img src=x onerror=alert(1)>.jpg").first.wait_for()
    page.locator("article li").hover()
    page.locator(".box.lit").wait_for()
    page.locator(".box").hover()
    page.locator("li.lit").wait_for()
    assert page.locator("article img[src='x']").count() == 0
    assert complaints == []


def test_samples_are_scored_by_a_click_and_scoring_can_be_stopped(page, server, complaints):
    open_explorer(page, f"{server}/explore/predict")
    page.get_by_role("button", name=re.compile("^Sample: ")).first.click()
    page.get_by_text("1 photo, 1 face:", exact=False).wait_for()
    page.locator("input[type=file]").set_input_files([composite() | {"name": f"{n}.jpg"} for n in range(60)])
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("photos were not sent", exact=False).wait_for()
    assert complaints == []


def matrix(page):
    return [int(cell.replace(",", "")) for cell in page.locator(".matrix td b").all_text_contents()]


def served_counts():
    """TN, uncertain, FP, FN, uncertain and TP of the data set that was studied, as decisions are published."""
    results = published()
    rows = results.predictions.query("split == 'test' and dataset == @results.metrics.datasets[0]")
    count = rows.groupby(["label", "decision"]).size()
    return [int(count.get((label, answer), 0)) for label in LABELS for answer in ("female", "uncertain", "male")]


def test_the_handles_move_the_confusion_matrix_in_the_browser(page, server, complaints):
    open_explorer(page, f"{server}/explore/metrics")
    page.locator(".matrix td b").first.wait_for()
    assert matrix(page) == served_counts()
    low, high = page.get_by_role("slider", name="Female up to"), page.get_by_role("slider", name="Male from")
    high.focus()
    page.keyboard.press("PageDown")
    moved = matrix(page)
    assert moved[5] >= served_counts()[5] and sum(moved) == sum(served_counts())
    page.wait_for_url(re.compile(f"high={published().metrics.band.high - 0.05:.3f}"))
    box, chart = low.bounding_box(), page.locator(".histogram").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 15)
    page.mouse.down()
    page.mouse.move(chart["x"] + chart["width"] * 0.4, box["y"] + 15, steps=4)
    page.mouse.up()
    assert float(low.get_attribute("aria-valuenow")) > 0.3
    page.get_by_role("button", name="Always decide").click()
    assert [matrix(page)[at] for at in (1, 4)] == [0, 0]
    page.get_by_role("button", name="As served").click()
    assert matrix(page) == served_counts()
    page.wait_for_url(re.compile("/metrics$"))
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def middle_pixel(page):
    return page.locator("canvas.face").evaluate(
        "c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]"
    )


def test_the_blend_is_made_in_the_browser_and_a_choice_changes_face_and_address(page, server, complaints):
    open_explorer(page, f"{server}/explore/faces")
    page.locator("canvas.face:not(.waiting)").wait_for()
    half = middle_pixel(page)
    slider = page.get_by_role("slider", name="Blend")
    slider.focus()
    page.keyboard.press("End")
    assert middle_pixel(page) != half
    page.get_by_text("an exaggeration", exact=False).wait_for()
    page.wait_for_url(re.compile("blend=150"))
    page.get_by_role("button", name="Smiling men and women").click()
    page.get_by_role("heading", name=re.compile("First: male, smiling")).wait_for()
    page.wait_for_url(re.compile("Smiling"))
    page.get_by_role("button", name="Effect (Hedges’ g)").click()
    page.wait_for_url(re.compile("view=effect"))
    box = page.locator("canvas.face").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.57)
    page.get_by_text(re.compile("^nose: .* g = ")).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Pixels as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 1 + 109 * 89
    page.go_back()
    page.get_by_role("button", name="Blend", exact=True, pressed=True).wait_for()
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_shape_and_texture_are_moved_apart_and_distances_compare_any_two(page, server, complaints):
    open_explorer(page, f"{server}/explore/faces?view=shape")
    page.get_by_text("100 % men’s, 0 % women’s").wait_for()
    page.wait_for_timeout(500)
    before = middle_pixel(page)
    page.get_by_role("button", name="Women’s shape, men’s texture").click()
    page.wait_for_url(re.compile("shape=0.*texture=100"))
    assert middle_pixel(page) != before
    page.get_by_role("slider", name="Texture").focus()
    page.keyboard.press("End")
    page.get_by_text("150 %: beyond the men’s").wait_for()
    page.get_by_role("button", name="Displacement").click()
    box = page.locator("canvas.face").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.57)
    page.get_by_text(re.compile("^nose: moves by .* of the distance between the pupils")).wait_for()
    page.get_by_role("button", name="Distances", exact=True).click()
    page.get_by_role("rowheader", name="chin width").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Distances as CSV").click()
    assert download.value.path().read_text().startswith("distance,g,low,high\n")
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_what_an_answer_depends_on_is_shown_on_demand(page, server, complaints):
    open_explorer(page, f"{server}/explore/predict")
    page.get_by_role("button", name=re.compile("^Sample: ")).first.click()
    page.get_by_role("button", name="What does it depend on?").click()
    page.locator(".why canvas").wait_for()
    assert page.get_by_text("speaks for “male”").count() == 1
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_the_argument_is_walked_step_by_step_and_a_place_is_shown_on_all_maps(page, server, complaints):
    open_explorer(page, f"{server}/explore/hypothesis")
    page.get_by_role("button", name=re.compile("Does that hold with styling held equal")).click()
    page.get_by_role("heading", name="4. Does that hold with styling held equal?").wait_for()
    page.locator("figure canvas").first.scroll_into_view_if_needed()
    box = page.locator("figure canvas").first.bounding_box()
    assert box["width"] > 150
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.57)
    page.get_by_text(re.compile("^nose: lightness")).wait_for()
    page.mouse.move(0, 0)
    page.get_by_role("button", name="All", exact=True).focus()
    page.keyboard.press("Tab")  # on to the first map, whose middle is pointed at
    pointed = page.locator(".pointed")
    middle = pointed.text_content()
    page.keyboard.press("Shift+ArrowUp")
    page.wait_for_function(
        "old => { const all = (w) => [...w.querySelectorAll('*')].flatMap((e) => "
        "[e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]); return all(document).some((e) => "
        "e.matches('.pointed') && e.textContent !== old); }",
        arg=middle,
    )
    slider = page.get_by_role("slider", name="Show |g| above")
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_url(re.compile("least="))
    page.get_by_role("button", name=re.compile("^Next: ")).click()
    page.get_by_role("heading", name=re.compile("^5")).wait_for()
    page.wait_for_url(re.compile("view=tells_apart"))
    page.go_back()
    page.get_by_role("heading", name=re.compile("^4")).wait_for()
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_the_api_is_called_from_its_page_and_examples_name_this_server(page, server, complaints):
    open_explorer(page, f"{server}/explore/api")
    page.get_by_role("button", name="Send a sample").click()
    page.get_by_role("heading", name=re.compile("^Answer: 200 .* ms$")).wait_for()
    assert '"p_male"' in page.get_by_label("Answer", exact=True).text_content()
    for language in ("curl", "Python", "JavaScript"):
        page.get_by_role("button", name=language, exact=True).click()
        assert server in page.get_by_label(language, exact=True).text_content()
    page.get_by_role("button", name="Send what is no photo").click()
    page.get_by_text("not a photo that can be read").wait_for()
    assert has_no_horizontal_scroll(page)
    assert all("422" in complaint for complaint in complaints)  # that of what is no photo


@pytest.mark.parametrize("page", [390], indirect=True)
@pytest.mark.parametrize("name", ["shape", "metrics"])
def test_a_page_of_the_report_fits_on_narrow_sheets(page, server, name):
    page.goto(f"{server}/site/{name}.html")
    page.emulate_media(media="print")
    wide = "tables => tables.filter(each => each.getBoundingClientRect().right > innerWidth + 1).length"
    assert page.locator("main table").count() > 2
    assert page.locator("main table").evaluate_all(wide) == 0
    # What is one block of a line goes over the edge of a sheet instead of on to the next.
    whole = "boxes => boxes.filter(each => getComputedStyle(each).display === 'inline-block').length"
    assert page.locator("main figure").evaluate_all(whole) == 0
