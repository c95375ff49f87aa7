"""How pages look beside how they looked when somebody last looked at them, over a made-up run.

What a visitor sees first of a page is compared coarsely, by the grey of 24 by 24 areas, so that fonts and rounding
change little, and a missing figure, a broken layout or the wrong theme much. ``LOOKS=write`` in the environment keeps
the pictures of now in ``looks.json``; they are then in ``looks/``, to be looked at first.
"""

import base64
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import started
from PIL import Image
from test_visit import open_explorer

pytestmark = pytest.mark.browser

LOOKS = Path(__file__).with_name("looks.json")
WRITTEN = os.environ.get("LOOKS") == "write"
AREAS = 24
MOST = 4.0  # grey levels of 255 by which areas may differ on average
FAR, FEW = 30, 0.04  # levels by which only this share of the areas may differ
ADDRESSES = (
    "/explore",
    "/explore?label=male&p_male=0.2,0.8",
    "/explore/faces",
    "/explore/faces?view=distances",
    "/explore/hypothesis?view=more_than_styling",
    "/explore/metrics",
    "/explore/metrics?view=crossing&split=train",
    "/explore/predict",
    "/explore/api",
)
AT_WORK = """() => {
    const busy = (within) => [...within.querySelectorAll("*")].some((each) =>
        each.matches(".pn-loading, .waiting") || (each.shadowRoot && busy(each.shadowRoot)));
    return !busy(document);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server over a made-up run, which is the same at each run of the tests."""
    folder = tmp_path_factory.mktemp("looks")
    made = str(Path(__file__).with_name("made_run.py"))
    with started(lambda port: [made, port, str(folder / "home")], folder / "log.txt") as address:
        yield address


def looked_at(page, address):
    """Picture of the top of a page, and the grey of its areas."""
    open_explorer(page, address)
    page.wait_for_function(AT_WORK)
    page.wait_for_timeout(400)  # transitions of controls
    shot = page.screenshot(animations="disabled")
    picture = Image.open(io.BytesIO(shot)).convert("L")
    return shot, np.asarray(picture.resize((AREAS, AREAS), Image.Resampling.BOX))


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")], ids=["desktop", "phone"])
def test_pages_look_as_they_did(browser, server, tmp_path, width, theme):
    known = json.loads(LOOKS.read_text()) if LOOKS.exists() else {}
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)
    changed = {}
    for address in ADDRESSES:
        shot, areas = looked_at(page, server + address)
        name = f"{address} {width} {theme}"
        if WRITTEN:
            known[name] = base64.b64encode(areas.tobytes()).decode("ascii")
            folder = LOOKS.with_suffix("")
            folder.mkdir(exist_ok=True)
            (folder / f"{width}-{ADDRESSES.index(address)}.png").write_bytes(shot)
            continue
        last = np.frombuffer(base64.b64decode(known[name]), np.uint8).reshape(AREAS, AREAS)
        apart = np.abs(areas.astype(float) - last)
        if apart.mean() > MOST or (apart > FAR).mean() > FEW:
            changed[name] = f"{apart.mean():.1f} levels apart, {(apart > FAR).mean():.0%} of it far"
            (tmp_path / f"{len(changed)}.png").write_bytes(shot)
    context.close()
    if WRITTEN:
        LOOKS.write_text(json.dumps(known, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    assert changed == {}
