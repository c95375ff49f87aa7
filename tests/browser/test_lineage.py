"""The boxes of what a network goes back to stand in one row or in one column: none alone behind an arrow."""

import pytest

from analysis.core import paths

pytestmark = pytest.mark.browser

BOXES = "els => els.map(e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right]; })"


@pytest.mark.parametrize("width", [1280, 644, 390])
@pytest.mark.parametrize("boxes", [2, 4, 5, 6])
def test_boxes_are_in_one_row_or_in_one_column(browser, width: int, boxes: int) -> None:
    style = (paths.PROJECT / "site/assets/meanface.css").read_text("utf-8")
    items = "".join(
        f"<li><span class='lineage-kind'>began with</span><strong>a-run-with-a-long-name-{n}</strong></li>"
        for n in range(boxes)
    )
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(f"<style>{style}</style><div class='lineage-room'><ol class='lineage'>{items}</ol></div>")
    found = page.locator(".lineage li").evaluate_all(BOXES)
    page.close()
    lefts, tops, rights = (len({round(value) for value in values}) for values in zip(*found, strict=True))
    assert (tops == 1 and lefts == boxes) or (lefts == 1 and rights == 1 and tops == boxes)
    assert max(right for *_, right in found) <= width
    if width == 390:
        assert lefts == 1
