"""Figures of the report that a reader changes: any two averages, thresholds, styling held equal."""

import re

import pytest
from test_visit import has_no_horizontal_scroll, served_counts

from analysis.results import published

pytestmark = pytest.mark.browser


def figure_of(page, server, name, label):
    page.goto(f"{server}/site/{name}.html", wait_until="load")
    figure = page.locator(f"#{label}")
    figure.scroll_into_view_if_needed()
    return figure


def middle(canvas):
    return canvas.evaluate("c => [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]")


def test_any_two_averages_are_chosen_with_the_keyboard(page, server, complaints):
    figure = figure_of(page, server, "faces", "fig-pair")
    canvases = figure.locator("canvas")
    canvases.nth(3).wait_for()
    before = [middle(canvas) for canvas in canvases.all()]
    finding = figure.locator(".finding")
    said = finding.text_content()
    figure.get_by_label("First group").focus()
    page.keyboard.press("Home")  # all faces
    assert finding.text_content() != said and "“all faces”" in finding.text_content()
    assert middle(canvases.nth(0)) != before[0] and middle(canvases.nth(1)) == before[1]
    count = int(published().subsets["count"].sel(subset="all faces"))
    figure.get_by_text(f"n = {count:,}").wait_for()
    way = re.search("lighter|darker", finding.text_content())[0]
    figure.get_by_role("button", name="Swap first and second").click()
    assert re.search("lighter|darker", finding.text_content())[0] != way
    blended = middle(canvases.nth(3))
    figure.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert middle(canvases.nth(3)) == middle(canvases.nth(0)) != blended
    figure.get_by_label("First group").select_option(label="all faces")
    figure.get_by_label("Second group").select_option(label="all faces")
    assert finding.text_content() == "The two averages are the same."
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def outcomes(figure):
    return [int(cell.replace(",", "")) for cell in figure.locator(".outcomes td strong").all_text_contents()]


def test_thresholds_move_every_outcome(page, server, complaints):
    figure = figure_of(page, server, "metrics", "fig-thresholds")
    figure.locator(".outcomes").wait_for()
    assert outcomes(figure) == served_counts()
    low, high = figure.get_by_role("slider", name="Female up to"), figure.get_by_role("slider", name="Male from")
    high.focus()
    page.keyboard.press("Home")
    assert float(low.get_attribute("aria-valuetext")) == float(high.get_attribute("aria-valuetext")) == 0
    assert [outcomes(figure)[at] for at in (0, 1, 3, 4)] == [0, 0, 0, 0]
    figure.get_by_role("button", name="Always decide").click()
    wrong = [outcomes(figure)[at] for at in (2, 3)]
    accuracy = published().metrics.splits["test"].accuracy
    assert 1 - sum(wrong) / sum(served_counts()) == pytest.approx(accuracy)
    figure.get_by_role("combobox").select_option(index=1)
    assert f"On {published().metrics.datasets[1]}," in figure.locator(".finding").text_content()
    figure.get_by_role("combobox").select_option(index=0)
    figure.get_by_role("button", name="As served").click()
    assert outcomes(figure) == served_counts()
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_the_maps_are_shown_with_styling_held_equal(page, server, complaints):
    figure = figure_of(page, server, "hypothesis", "fig-effect-maps")
    figure.get_by_role("button", name="Data (CSV)").wait_for()
    shown = figure.locator(".drawing canvas").first
    shown.wait_for()
    before = shown.screenshot()
    held = figure.get_by_role("button", name="Styling held equal")
    held.click()
    assert held.get_attribute("aria-pressed") == "true"
    figure.get_by_text(re.compile("^Styling held equal .* within the face the largest effect")).wait_for()
    assert figure.locator(".finding:visible").count() == 1
    page.wait_for_timeout(2000)
    assert figure.locator(".drawing canvas").first.screenshot() != before
    figure.get_by_role("button", name="Averages of people").click()
    assert figure.locator(".finding:visible").count() == 1
    assert has_no_horizontal_scroll(page)
    assert complaints == []


def test_without_javascript_the_same_figures_stand_as_pictures_and_tables(browser, server):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    page = context.new_page()
    pair = figure_of(page, server, "faces", "fig-pair")
    assert pair.locator("img:visible").count() == 4
    assert figure_of(page, server, "metrics", "fig-thresholds").locator("tbody tr:visible").count() == 4
    maps = figure_of(page, server, "hypothesis", "fig-effect-maps")
    assert maps.locator(".finding:visible").count() == maps.locator("img:visible").count() == 3
    assert maps.locator("button:visible").count() == 0
    context.close()
