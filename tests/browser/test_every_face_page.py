"""Selecting faces on the map, in a histogram and by chips, in a real Chromium over a made-up run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import started
from test_visit import axe_violations, has_no_horizontal_scroll, open_explorer

pytestmark = pytest.mark.browser

PAGE = "/explore"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server over a made-up run, which has a row for each of its 2,000 images."""
    folder = tmp_path_factory.mktemp("made-run")
    made = str(Path(__file__).with_name("made_run.py"))
    with started(lambda port: [made, port, str(folder / "home")], folder / "log.txt") as address:
        yield address


def count(page):
    """Number of faces that are selected."""
    text = page.get_by_text(re.compile(r"^[\d,]+ of 2,000 faces")).first.text_content()
    return int(text.split(" ")[0].replace(",", ""))


def wait_for_count(page, number):
    page.get_by_text(f"{number:,} of 2,000 faces").wait_for()


def plot(page, number=0):
    """Box of the inside of a plot; the map is the first."""
    found = page.locator(".bk-Figure").nth(number)
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def drag(page, places):
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def test_a_box_on_the_map_selects_and_back_takes_it_back(page, server, complaints):
    open_explorer(page, server + PAGE)
    page.locator(".bk-Figure").first.wait_for()
    assert count(page) == 2000
    x, y, width, height = plot(page)
    drag(page, [(x + 0.1 * width, y + 0.2 * height), (x + 0.5 * width, y + 0.8 * height)])
    page.wait_for_url(re.compile("area="))
    page.get_by_text("The rest", exact=True).wait_for()
    some = count(page)
    assert 0 < some < 2000
    assert page.locator("img[alt='Average face of the selection, crisp']").count() == 1
    page.get_by_role("button", name="Aligned by the eyes").click()
    page.locator("img[alt='Selected minus the rest, in lightness']").wait_for()
    page.get_by_role("button", name="Warped to one shape").click()
    page.locator("img[alt='Average face of the selection, crisp']").wait_for()
    page.get_by_role("button", name="male", exact=True).first.click()
    page.wait_for_url(re.compile("label=male"))
    page.get_by_text(f"{some:,} of 2,000 faces").wait_for(state="detached")
    page.go_back()
    page.wait_for_url(lambda address: "label" not in address)
    wait_for_count(page, some)
    page.get_by_role("button", name="Select everything").click()
    page.wait_for_url(re.compile(PAGE + "$"))
    wait_for_count(page, 2000)
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_keys_alone_select_on_the_map_and_zoom(page, server, complaints):
    open_explorer(page, server + PAGE)
    page.locator(".bk-Figure").first.wait_for()
    keys = page.get_by_role("application", name="Select on the map with keys")
    keys.focus()
    page.get_by_text("Box from 35 % to 65 % across").wait_for()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.get_by_text("Box from 33 % to 65 % across, 33 % to 63 % down.").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("area="))
    page.get_by_text("2,000 of 2,000 faces").wait_for(state="detached")
    some = count(page)
    assert 0 < some < 2000
    page.keyboard.press("+")  # the box is then the middle of what was in it
    page.get_by_text("Box from 25 % to 75 % across").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text(f"{some:,} of 2,000 faces").wait_for(state="detached")
    fewer = count(page)
    assert fewer < some
    page.keyboard.press("+")  # the box keeps its place in sight, and is drawn where Enter selects
    page.keyboard.press("Enter")
    page.get_by_text(f"{fewer:,} of 2,000 faces").wait_for(state="detached")
    assert count(page) < fewer
    page.keyboard.press("-")
    page.keyboard.press("Escape")
    page.get_by_text("No box.").wait_for()
    page.go_back()
    wait_for_count(page, fewer)
    page.go_back()
    wait_for_count(page, some)
    assert complaints == []


def middle_of_the_way(page):
    return page.locator(".way canvas").evaluate(
        "c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 3, 1, 1).data]"
    )


@pytest.mark.parametrize("average", ["crisp", "aligned"])
def test_the_way_from_the_rest_to_the_selection_is_drawn_in_the_browser(page, server, complaints, average):
    open_explorer(page, f"{server}{PAGE}?label=male&average={average}")
    page.get_by_text("200 % of the way: an exaggeration").wait_for()
    twice = middle_of_the_way(page)
    slider = page.get_by_role("slider", name="From the rest to the selection")
    slider.focus()
    page.keyboard.press("Home")
    page.get_by_text("0 % of the way", exact=True).wait_for()
    assert middle_of_the_way(page) != twice
    page.wait_for_url(re.compile("blend=0"))
    open_explorer(page, page.url)
    page.get_by_text("0 % of the way", exact=True).wait_for()
    page.get_by_role("button", name="male", exact=True).first.click()  # there is no rest to everybody
    page.locator(".way").wait_for(state="hidden")
    assert complaints == []


def test_a_picture_of_the_gallery_is_opened_and_its_address_opens_it_again(page, server, complaints):
    open_explorer(page, server + PAGE + "?label=male")
    title = page.locator(".one h3")
    title.wait_for()
    first = title.text_content()
    page.locator(".inner button").nth(2).click()
    page.wait_for_url(re.compile("one="))
    page.locator(".one h3").filter(has_not_text=first).wait_for()
    page.locator(".near button").first.wait_for()
    name = title.text_content()
    page.locator(".grid").evaluate("grid => grid.scrollTo(0, grid.scrollHeight)")
    open_explorer(page, page.url)
    page.get_by_role("heading", name=name, exact=True).wait_for()
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_the_gallery_is_one_stop_of_the_tab_key_and_arrows_move_in_it(page, server, complaints):
    open_explorer(page, server + PAGE + "?label=male")
    page.locator(".one h3").wait_for()
    options = page.get_by_role("option")
    assert page.locator(".inner [tabindex='0']").count() == 1
    options.first.focus()
    columns = page.locator(".grid").evaluate("grid => Math.floor(grid.clientWidth / 84)")
    at = "() => { let of = document; while (of.activeElement?.shadowRoot) of = of.activeElement.shadowRoot; "
    at += "return Number(of.activeElement.getAttribute('aria-posinset')); }"
    total = int(options.first.get_attribute("aria-setsize"))
    for key, place in (
        ("ArrowRight", 2),
        ("ArrowDown", 2 + columns),
        ("ArrowLeft", 1 + columns),
        ("Home", 1),
        ("End", total),
    ):
        page.keyboard.press(key)
        page.wait_for_function(f"{at.replace('return', 'return ' + str(place) + ' ===')}", timeout=10_000)
    assert page.locator(".inner [tabindex='0']").count() == 1
    title = page.locator(".one h3").text_content()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("one="))
    page.locator(".one h3").filter(has_not_text=title).wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate(at) == 0  # out of the gallery
    assert complaints == []


def test_what_follows_is_busy_from_the_act_until_the_server_has_answered(page, server, complaints):
    open_explorer(page, server + PAGE)
    page.locator(".bk-Figure").nth(1).wait_for()
    page.locator(".follows:not([aria-busy])").nth(3).wait_for()
    seen = """(button) => new Promise((answer) => {
        const all = (within) => [...within.querySelectorAll("*")].flatMap((each) =>
          [...(each.classList.contains("follows") ? [each] : []), ...(each.shadowRoot ? all(each.shadowRoot) : [])]);
        const parts = all(document), busy = () => parts.filter((part) => part.ariaBusy === "true").length;
        button.click();
        requestAnimationFrame(() => requestAnimationFrame(() => answer([parts.length, busy()])));
    })"""
    assert page.get_by_role("button", name="male", exact=True).first.evaluate(seen) == [4, 4]
    wait_for_count(page, 800)
    page.locator(".follows[aria-busy]").first.wait_for(state="detached")
    assert complaints == []


def test_a_lasso_selects_and_its_address_opens_the_same(page, server, complaints):
    open_explorer(page, server + PAGE)
    page.locator(".bk-Figure").first.wait_for()
    page.locator(".bk-tool-icon-lasso-select, [title*='Lasso']").first.click()
    x, y, width, height = plot(page)
    ring = [(0.2, 0.3), (0.6, 0.25), (0.7, 0.7), (0.3, 0.75), (0.2, 0.3)]
    drag(page, [(x + a * width, y + b * height) for a, b in ring])
    page.wait_for_url(re.compile("area="))
    page.get_by_text("The rest", exact=True).wait_for()
    some = count(page)
    assert 0 < some < 2000
    address = page.url
    open_explorer(page, address)
    wait_for_count(page, some)
    assert page.url == address
    assert complaints == []


def test_brush_and_handles_of_a_histogram_select_a_range(page, server, complaints):
    open_explorer(page, server + PAGE)
    page.locator(".bk-Figure").nth(1).wait_for()
    x, y, width, height = plot(page, 1)
    drag(page, [(x + 0.3 * width, y + 0.5 * height), (x + 0.7 * width, y + 0.5 * height)])
    page.wait_for_url(re.compile("p_male=0"))
    page.get_by_text("2,000 of 2,000 faces").wait_for(state="detached")
    some = count(page)
    assert 0 < some < 2000
    handle = page.locator("input[type=range]:not(#way)").first  # a histogram's
    handle.focus()
    page.keyboard.press("Home")
    page.wait_for_url(re.compile("p_male=0%2C|p_male=0,|p_male=0.00"))
    page.get_by_text(f"{some:,} of 2,000 faces").wait_for(state="detached")
    assert count(page) > some
    assert complaints == []


def test_a_cell_of_two_groups_leads_to_its_faces(page, server, complaints):
    open_explorer(page, f"{server}/explore/metrics?view=crossing&split=train&rows=label&columns=dataset")
    page.get_by_text("are answered rightly").wait_for()
    page.locator(".cells a").first.click()
    page.wait_for_url(re.compile(r"explore\?.*label=female"))
    wait_for_count(page, 480)
    assert complaints == []


def test_chips_of_the_lab_choose_groups_and_back_takes_them_back(page, server, complaints):
    open_explorer(page, server + "/explore/faces")
    page.get_by_role("heading", name=re.compile(r"^First: male, \d+ faces$")).wait_for()
    page.get_by_label("Attribute of the first group").select_option("with Smiling")
    page.get_by_label("Attribute of the first group").select_option("without Young")
    page.get_by_role("heading", name=re.compile(r"^First: male, smiling, not young, \d+ faces$")).wait_for()
    page.wait_for_url(re.compile("Smiling.*not.*Young"))
    page.get_by_role("button", name="Leave out: smiling").click()
    page.get_by_role("heading", name=re.compile(r"^First: male, not young, \d+ faces$")).wait_for()
    tray = page.get_by_role("group", name="Data set of the second group")
    tray.get_by_role("button", name="other").click()
    tray.get_by_role("button", name="synthetic").click()
    ages = page.get_by_role("group", name="Age of the second group")
    ages.get_by_role("button", name="20-39").click()
    page.get_by_role("heading", name=re.compile("^Second: other: female, 20-39, ")).wait_for()
    address = page.url
    page.get_by_role("group", name="Label of the second group").get_by_role("button", name="female").click()
    page.get_by_role("heading", name=re.compile("^Second: other: 20-39, ")).wait_for()
    page.go_back()
    page.get_by_role("heading", name=re.compile("^Second: other: female, 20-39, ")).wait_for()
    open_explorer(page, address)
    page.get_by_role("heading", name=re.compile("^Second: other: female, 20-39, ")).wait_for()
    assert has_no_horizontal_scroll(page)
    assert complaints == []


@pytest.mark.parametrize("query", ["?p_male=nan,1", "?area=here&label=other&age=9,1", "?having=Nothing&colour=red"])
def test_what_an_address_says_wrongly_is_left_out(page, server, complaints, query):
    open_explorer(page, server + PAGE + query)
    page.locator(".bk-Figure").first.wait_for()
    assert count(page) == 2000
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser, server, theme):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    violations = []
    for address, text in (
        (f"{PAGE}?label=male&p_male=0.2,0.8", "The rest"),
        ("/explore/metrics?view=crossing&split=train", "are answered rightly"),
    ):
        open_explorer(page, server + address)
        page.get_by_text(text).first.wait_for()
        violations += axe_violations(page)
    context.close()
    assert violations == []
