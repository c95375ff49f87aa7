"""Time of the average of a subset: the quick engine against the mean of the cube.

    python benchmarks/average_face.py [DATASET] [--sizes 2000 20000 202599]

Needs `meanface study DATASET` (default: celeba). For each size a data set of that many faces is made from those that
exist or, if it is larger, from the fitted components: coefficients of random faces, each with noise of a tenth of its
component's standard deviation, turned back into pixels. A separate process on one core then averages subsets of many
sizes with the quick engine and, in the same run, computes the mean of the memory-mapped cube; both map their files
again for each subset. Prints the milliseconds of both, their ratio, the difference of the averages, and the peak memory
of a process that only averages. The largest size needs 6 GB on disk while it runs.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from memory import peak_memory

from analysis.averages.compressed import ZERO, CompressedEngine, average_folder
from analysis.data.dataset import Dataset

SIZES = (2_000, 20_000, 202_599)  # the last is all of CelebA
SHARES = (1.0, 0.8, 0.5, 0.2, 0.05)
COUNTS = (767, 100, 16)  # sizes for which faces are read instead of coefficients
REPEATS = 5
BLOCK = 2048  # faces made, or averaged, at a time
MEMORY, LONGEST = 200, 50  # limits in MB and milliseconds


def make(source: Path, folder: Path, size: int) -> None:
    """Write the files of a quick engine for a number of faces."""
    engine = CompressedEngine(source)
    facts, rng = engine.facts, np.random.default_rng(0)
    for name in ("basis.f32", "centre.npy", "scale.npy"):
        shutil.copy(source / name, folder / name)
    codes = np.fromfile(source / "codes.u8", np.uint8).reshape(facts.images, facts.components)
    centre, scale = np.load(source / "centre.npy"), np.load(source / "scale.npy")
    basis = np.fromfile(source / "basis.f32", np.float32).reshape(facts.components, facts.values)
    split = facts.mean_components
    deviation = codes.std(axis=0)
    totals = np.zeros(facts.components, dtype=np.int64)
    pixels = np.memmap(source / "pixels.u8", np.uint8, "r", shape=(facts.images, facts.values))
    with (folder / "codes.u8").open("wb") as of_codes, (folder / "pixels.u8").open("wb") as of_pixels:
        for start in range(0, size, BLOCK):
            count = min(BLOCK, size - start)
            if size <= facts.images:
                drawn, faces = codes[start : start + count], pixels[start : start + count]
            else:
                jitter = 0.1 * deviation * rng.standard_normal((count, facts.components))
                drawn = (codes[rng.integers(facts.images, size=count)] + jitter).round().clip(1, 255).astype(np.uint8)
                coefficients = (drawn[:, :split].astype(np.float32) - ZERO) * scale[:split].astype(np.float32)
                faces = (centre[0] + coefficients @ basis[:split]).round().clip(0, 255).astype(np.uint8)
            of_codes.write(np.ascontiguousarray(drawn).data)
            of_pixels.write(np.ascontiguousarray(faces).data)
            totals += drawn.sum(axis=0, dtype=np.int64)
    np.save(folder / "totals.npy", totals)
    replace(facts, images=size).write(folder)


def subsets(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shares = {f"{share:.0%}": rng.permutation(size) < round(share * size) for share in SHARES}
    return shares | {f"{count} faces": rng.permutation(size) < count for count in COUNTS}


def plain_mean(folder: Path, rows: np.ndarray, values: int) -> np.ndarray:
    cube = np.memmap(folder / "pixels.u8", np.uint8, "r", shape=(len(rows), values))
    total = np.zeros(values, dtype=np.int64)
    for start in range(0, len(rows), BLOCK):
        inside = rows[start : start + BLOCK]
        if inside.any():
            total += cube[start : start + BLOCK][inside].sum(axis=0, dtype=np.int64)
    return total / int(rows.sum()) / 255


def timed(work: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Median milliseconds after a first run that is not measured, and the result."""
    times, result = [], work()
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times), result


def measure(folder: Path, plain: bool) -> None:
    """Average all subsets on one core and print the measurements as JSON."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    engine = CompressedEngine(folder)
    measured = {}
    for name, rows in subsets(engine.facts.images).items():
        quick, average = timed(lambda rows=rows: engine.average(rows).mean.ravel(), REPEATS)  # type: ignore[misc]
        measured[name] = {"quick": quick, "count": int(rows.sum())}
        if plain:
            slow, mean = timed(lambda rows=rows: plain_mean(folder, rows, engine.facts.values), 1)  # type: ignore[misc]
            apart = 255 * float(np.sqrt(np.mean((average - mean) ** 2)))
            measured[name] |= {"plain": slow, "apart": apart}
    print(json.dumps({"subsets": measured, "peak": peak_memory()}))


def child(folder: Path, *, plain: bool) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(folder), *(["--plain"] if plain else [])]
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **threads})
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="celeba")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.plain)
        return
    source = average_folder(Dataset.open(given.dataset))
    if not (source / "engine.json").exists():
        parser.error(f"{given.dataset!r} has no components: run `meanface study {given.dataset}` first")
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=source.parent) as scratch:
            make(source, Path(scratch), size)
            alone, both = child(Path(scratch), plain=False), child(Path(scratch), plain=True)
        print(f"{size:,} faces, one core; a process that only averages peaks at {alone['peak']:.0f} MB")
        for name, one in both["subsets"].items():
            print(
                f"  {name:>10} ({one['count']:>7,}): quick {one['quick']:6.1f} ms, cube {one['plain']:9.1f} ms, "
                f"{one['plain'] / one['quick']:6.1f} times; {one['apart']:.3f} of 255 steps apart, root mean square"
            )
        longest = max(one["quick"] for one in both["subsets"].values())
        print(f"  longest {longest / LONGEST:.2f} of {LONGEST} ms; memory {alone['peak'] / MEMORY:.2f} of {MEMORY} MB")


if __name__ == "__main__":
    main()
