"""How quickly the explorer answers, and what a session costs: python benchmarks/explorer.py

Prints the time of the server's processor for each figure that is drawn anew and for selections on the page of every
face; how long a first visitor and twenty at once wait for a page; and the memory of the server before, with and after
twenty sessions. Reads the published run; what that lacks is left out.
"""

import re
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from serving import server
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from analysis.core.errors import UserError
from analysis.results import published
from dashboard import Shared, parts
from dashboard.pages import EveryFacePage, data, faces, hypothesis, metrics
from dashboard.scoring import Scorer
from model.predict import Predictor

ALLOWED = 300  # milliseconds
SESSIONS = 20  # at once
PAGES = ("/explore", "/explore/data", "/explore/faces", "/explore/hypothesis", "/explore/metrics")
WAIT = 30  # seconds after which a session that is left is given up, twice over


def spent(work: Callable[[], object]) -> float:
    """Milliseconds of this process' processor."""
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def views(found: object, name: str = "") -> Iterator[tuple[str, parts.View]]:
    """The views in a module, a mapping or a sequence, each with its name."""
    if isinstance(found, parts.View):
        yield name, found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from views(value, f"{name} {key}".strip())
    elif isinstance(found, tuple):
        for number, value in enumerate(found, 1):
            yield from views(value, f"{name} {number}")


def redraws(shared: Shared) -> None:
    """Print how long figures take, the slowest first."""
    taken: dict[str, float] = {}
    for module, page in (
        (data, data.DataPage(shared)),
        (faces, faces.FacesPage(shared)),
        (hypothesis, hypothesis.HypothesisPage(shared)),
        (metrics, metrics.MetricsPage(shared)),
    ):
        own = {name: value for name, value in vars(module).items() if name.isupper()}
        for name, view in views(own):
            try:
                view.show(page).get_root()  # reads the results
                times = [spent(lambda: view.show(page).get_root()) for _ in range(3)]  # noqa: B023 - called at once
            except UserError:
                continue  # this run has no such result
            taken[f"{page.title}: {name.lower()}"] = statistics.median(times)
    slow = sorted(taken, key=taken.__getitem__, reverse=True)
    print(f"{len(taken)} figures and tables: median {statistics.median(taken.values()):.0f} ms")
    for name in slow[:8]:
        print(f"  {taken[name]:4.0f} ms{' (over)' if taken[name] > ALLOWED else ''}  {name}")


def selections(shared: Shared) -> None:
    """Print how long everything takes that follows from a selection."""
    if not shared.results.has_faces:
        print("no row per image in this run: selections are left out")
        return
    page = EveryFacePage(shared)
    content = page.content()
    for part in content:
        part.get_root()
    changes = (
        {"label": ["male"]},
        {"p_male": (0.1, 0.9)},
        {"p_male": None},
        {"area": "0,0 50,0 50,50 0,50"},
        {"area": ""},
    )
    times = [spent(lambda: page.param.update(**change)) for change in changes]  # noqa: B023 - called at once
    print(f"a selection among {len(page.selected()):,} faces: " + ", ".join(f"{each:.0f}" for each in times) + " ms")


def resident(process: int) -> float:
    """Megabytes in memory of a process and its children."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
        except OSError:
            continue  # it has ended
        if process in (int(folder.name), int(status.get("PPid", 0))):
            total += int(status.get("VmRSS", "0 kB").split()[0]) / 1024
    return total


def session(base: str, path: str) -> tuple[float, ClientConnection]:
    """Open a page as a browser does: seconds until its session is joined, and the open line."""
    start = time.perf_counter()
    page = httpx.get(f"{base}{path}", trust_env=False, timeout=120)
    page.raise_for_status()
    found = re.search(r'"token":"([^"]+)"', page.text)
    assert found
    line = connect(
        f"{base.replace('http', 'ws')}{path}/ws",
        subprotocols=[Subprotocol("bokeh"), Subprotocol(found[1])],
        origin=Origin(base),
        proxy=None,
        open_timeout=120,
    )
    line.recv()
    return time.perf_counter() - start, line


def sessions() -> None:
    """Print waiting times and memory of sessions of a server."""
    with server() as (port, process), ExitStack() as lines:
        base = f"http://127.0.0.1:{port}"
        for path in PAGES:  # modules are loaded, results are read
            session(base, path)[1].close()
        first = [session(base, path) for path in PAGES]
        print(
            "one visitor: "
            + ", ".join(f"{path} {1000 * taken:.0f} ms" for path, (taken, _) in zip(PAGES, first, strict=True))
        )
        for _, line in first:
            line.close()
        time.sleep(WAIT)
        before = resident(process)
        with ThreadPoolExecutor(SESSIONS) as pool:
            opened = list(pool.map(lambda number: session(base, PAGES[number % len(PAGES)]), range(SESSIONS)))
        for _, line in opened:
            lines.callback(line.close)
        times = [taken for taken, _ in opened]
        print(f"{SESSIONS} visitors at once: median {statistics.median(times):.1f} s, longest {max(times):.1f} s")
        during = resident(process)
        lines.close()
        time.sleep(WAIT)
        after = resident(process)
        print(
            f"memory: {before:.0f} MB before, {during:.0f} MB with {SESSIONS} sessions "
            f"({(during - before) / SESSIONS:.1f} MB each), {after:.0f} MB after"
        )


def main() -> None:
    """Measure everything."""
    results = published()
    scorer = Scorer(lambda: Predictor.load(results.model_folder))
    scorer.load()
    shared = Shared(results, scorer)
    redraws(shared)
    selections(shared)
    sessions()


if __name__ == "__main__":
    main()
