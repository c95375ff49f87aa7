"""CelebA at its full size, end to end: python benchmarks/archive.py --metadata celeba-metadata.zip

Makes archives of several sizes in Kaggle's layout. Their photos, 178 x 218 pixels, are drawn from the principal
components of the published small groups' averages, so they have faces and nobody's; labels, attributes, people and
splits are those of CelebA's tables where ``--metadata`` names them, else drawn. Then walks each archive through fetch,
ingest, landmarks, study and an average, each a process of its own, and prints wall time, processor time, images a
second and the peak memory of all of a step's processes, each step as it ends. Processor time hardly depends on what
else the machine does. ``--folder`` keeps the archives and what is made of them; an archive that is there is not drawn
again.

``--workers 1,2`` walks the smallest archive through ingest and landmarks on Dask clusters of as many workers, each of
one thread, and predicts larger ones from the two.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
from distributed import LocalCluster

from analysis.core.schema import CELEBA_ATTRIBUTES, SPLITS
from analysis.results import Results, published

CELEBA = 202_599
PEOPLE = 10_177
WIDTH, HEIGHT = 178, 218
SHARES = (0.803, 0.098, 0.099)  # of CelebA's people in train, validation and test
STEPS = ("fetch", "ingest", "landmarks", "study", "average")
_BLOCK = 512  # photos drawn at a time
_EVERY = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True)
class Cost:
    """What a step took.

    Attributes
    ----------
    wall, processor
        Seconds: on the clock, and of all its processes together.
    memory
        Peak of what its processes hold together, in MB; pages that they share count once.
    """

    wall: float
    processor: float
    memory: float


def read_tables(metadata: Path) -> pd.DataFrame:
    """``image_id``, ``label`` and ``split`` of CelebA's images, from a zip of its tables as Kaggle has them."""
    with zipfile.ZipFile(metadata) as archive:
        male = pd.read_csv(archive.open("list_attr_celeba.csv"), usecols=["image_id", "Male"])
        parts = pd.read_csv(archive.open("list_eval_partition.csv"))
    table = male.merge(parts, on="image_id")
    return pd.DataFrame(
        {
            "image_id": table["image_id"],
            "label": np.where(table["Male"] == 1, "male", "female"),
            "split": np.array(SPLITS)[table["partition"]],
        }
    )


def drawn_tables(count: int) -> pd.DataFrame:
    """The same columns for as many images, with ``identity`` and attributes, drawn at random."""
    rng = np.random.default_rng(0)
    people = rng.choice(PEOPLE, count)
    male, split = rng.uniform(size=PEOPLE) < 0.42, rng.choice(SPLITS, PEOPLE, p=SHARES)
    shares = rng.uniform(0.05, 0.6, len(CELEBA_ATTRIBUTES))
    return pd.DataFrame(
        {
            "image_id": [f"{number:06d}.jpg" for number in range(1, count + 1)],
            "label": np.where(male[people], "male", "female"),
            "split": split[people],
            "identity": people,
            **{name: rng.uniform(size=count) < share for name, share in zip(CELEBA_ATTRIBUTES, shares, strict=True)},
        }
    )


def photos(results: Results, labels: np.ndarray) -> Iterator[bytes]:
    """A JPEG for each label, about 6 kB each as CelebA's: a group's average, changed as groups differ, shifted."""
    arrays, rows = results.aggregates, results.faces
    basis = arrays["basis"].to_numpy().astype(np.float32)
    centre, size = arrays["centre"].to_numpy().astype(np.float32), basis.shape[1:]
    coefficient = arrays["coefficient"].to_numpy().astype(np.float32)
    label = rows.groupby("aggregate")["label"].first().reindex(range(len(coefficient))).to_numpy()
    spread = coefficient.std(axis=0)
    rng = np.random.default_rng(0)
    for start in range(0, len(labels), _BLOCK):
        wanted = labels[start : start + _BLOCK]
        chosen = np.empty((len(wanted), coefficient.shape[1]), np.float32)
        for each in np.unique(wanted):
            own = np.flatnonzero(label == each)
            chosen[wanted == each] = coefficient[rng.choice(own, (wanted == each).sum())]
        chosen += rng.normal(0, 0.7, chosen.shape) * spread
        faces = (chosen @ basis.reshape(len(basis), -1)).reshape(-1, *size) + centre
        for face in faces:
            move = np.array([[WIDTH / size[1], 0, rng.uniform(-4, 4)], [0, HEIGHT / size[0], rng.uniform(-4, 4)]])
            large = cv2.warpAffine(face, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            large += rng.integers(-6, 7, large.shape)
            _, data = cv2.imencode(
                ".jpg", large.clip(0, 255).astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75]
            )
            yield data.tobytes()


def spaced(table: pd.DataFrame, size: int) -> pd.DataFrame:
    """As many rows from all over a table: CelebA's first 162,770 images are all of one split."""
    return table.iloc[np.linspace(0, len(table) - 1, min(size, len(table))).round().astype(int)]


def write_archive(path: Path, table: pd.DataFrame, results: Results) -> None:
    """Write photos in Kaggle's layout, and drawn tables beside them; an archive that is there stays."""
    if path.exists():
        return
    unfinished = path.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for row, data in zip(table.itertuples(), photos(results, table["label"].to_numpy()), strict=True):
            archive.writestr(f"Dataset/{row.split.title()}/{row.label.title()}/{row.image_id}", data)
        if "identity" in table:
            for name, content in celeba_tables(table).items():
                archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    unfinished.rename(path)


def celeba_tables(table: pd.DataFrame) -> dict[str, str]:
    """CelebA's three tables of some images, as Kaggle writes them."""
    attributes = table[[name for name in CELEBA_ATTRIBUTES if name in table]].assign(Male=table["label"] == "male")
    signs = attributes.astype(bool).astype(int) * 2 - 1
    splits = table["split"].map(SPLITS.index)
    ids = table["image_id"]
    return {
        "list_attr_celeba.csv": signs.assign(image_id=ids).set_index("image_id").to_csv(),
        "list_eval_partition.csv": pd.DataFrame({"image_id": ids, "partition": splits}).to_csv(index=False),
        "identity_CelebA.csv": pd.DataFrame({"image_id": ids, "identity": table["identity"]}).to_csv(index=False),
    }


def environment(home: Path) -> dict[str, str]:
    """Variables by which meanface finds its files in a folder."""
    return {"MEANFACE_HOME": str(home), "MEANFACE_DATA": ""}


def watched(command: list[str], home: Path) -> Cost:
    """Run a command of meanface and measure it."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-m", "meanface", *command],
            env=os.environ | environment(home),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        peak, over = 0.0, threading.Event()

        def look() -> None:
            nonlocal peak
            while not over.wait(_EVERY):
                peak = max(peak, held(process))

        eye = threading.Thread(target=look)
        eye.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        over.set()
        eye.join()
        if status:
            said.seek(0)
            raise SystemExit(f"meanface {' '.join(command)} failed: {said.read().decode()[-500:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, peak)


def held(process: psutil.Process) -> float:
    """Memory of a process and of those that it started, in MB."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += getattr(each.memory_full_info(), "pss", each.memory_info().rss)
    except psutil.Error:
        return 0.0
    return total / 1e6


def walk(archive: Path, folder: Path, metadata: Path | None, permutations: int) -> Iterator[tuple[str, Cost]]:
    """Take an archive through every step, with a home of its own."""
    known = [] if metadata is None else ["--metadata", str(metadata.resolve())]
    commands = {
        "fetch": ["fetch", str(archive), "--name", "faces", *known],
        "ingest": ["ingest", "faces"],
        "landmarks": ["landmarks", "faces"],
        "study": ["study", "faces", "--permutations", str(permutations)],
        "average": ["average", "faces", "label == 'male' and Smiling", "--output", str(folder / "average.png")],
    }
    for step in STEPS:
        yield step, watched(commands[step], folder)


def on_workers(archive: Path, folder: Path, workers: int) -> dict[str, float]:
    """Seconds that ingest and landmarks take on a cluster of some workers with one thread each."""
    watched(["fetch", str(archive), "--name", "faces"], folder)
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, env=environment(folder)
    ) as cluster:
        return {
            step: watched([step, "faces", "--scheduler", cluster.scheduler_address], folder).wall
            for step in ("ingest", "landmarks")
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=f"20000,60000,{CELEBA}", help="numbers of photos")
    parser.add_argument("--metadata", type=Path, help="zip of CelebA's tables as Kaggle has them; default: drawn")
    parser.add_argument("--permutations", type=int, default=5000, help="permutations of the test")
    parser.add_argument("--workers", default="1,2", help="sizes of the clusters; empty: none")
    parser.add_argument("--folder", type=Path, help="folder for the archives and what is made of them; default: none")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sizes = sorted(int(size) for size in options.sizes.split(",") if size)
    workers = [int(count) for count in options.workers.split(",") if count]
    table = drawn_tables(max(sizes)) if options.metadata is None else read_tables(options.metadata)
    results = published()
    print(f"{os.cpu_count()} cores; {'step':<12}{'minutes':>9}{'processor':>11}{'images/s':>10}{'MB':>8}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        archives: list[Path] = []
        for size in sizes:
            archive = folder / f"{size}{'' if options.metadata else '-drawn'}.zip"
            archives.append(archive)
            write_archive(archive, spaced(table, size), results)
            print(f"{size:,} photos of {archive.stat().st_size / size / 1e3:.1f} kB", flush=True)
            costs = []
            shutil.rmtree(folder / f"home-{size}", ignore_errors=True)  # what is there already takes no time
            for step, cost in walk(archive, folder / f"home-{size}", options.metadata, options.permutations):
                show(step, cost, size)
                costs.append(cost)
            wall, processor = sum(cost.wall for cost in costs), sum(cost.processor for cost in costs)
            show("all", Cost(wall, processor, max(cost.memory for cost in costs)), size)
        for n in workers:
            shutil.rmtree(folder / f"cluster-{n}", ignore_errors=True)
        seconds = {n: on_workers(archives[0], folder / f"cluster-{n}", n) for n in workers}
    for step in ("ingest", "landmarks") if seconds else ():
        times = ", ".join(f"{seconds[n][step]:.0f} s on {n}" for n in workers)
        print(f"{step} of {sizes[0]:,} on a Dask cluster: {times}{predicted(step, seconds, sizes[-1] / sizes[0])}")


def show(step: str, cost: Cost, images: int) -> None:
    """Print a line of the table."""
    print(
        f"{'':<9}{step:<12}{cost.wall / 60:9.1f}{cost.processor / 60:11.1f}"
        f"{images / cost.wall:10.0f}{cost.memory:8.0f}",
        flush=True,
    )


def predicted(step: str, seconds: dict[int, dict[str, float]], times: float) -> str:
    """Minutes for as many times the photos on larger clusters, where a part of the time is shared by the workers.

    Amdahl's law through the two smallest clusters: a + b / N.
    """
    if len(seconds) < 2:
        return ""
    (few, slow), (more, fast) = sorted(seconds.items())[:2]
    shared = max(0.0, (slow[step] - fast[step]) / (1 / few - 1 / more))
    alone = max(0.0, slow[step] - shared / few)
    return "; predicted minutes at full size: " + ", ".join(
        f"{times * (alone + shared / n) / 60:.1f} on {n}" for n in (4, 8, 16)
    )


if __name__ == "__main__":
    main()
