"""What `meanface predict` adds to the predictor, and its memory: python benchmarks/batch.py [PHOTOS] [MANY]

Prints photos a second of the bare predictor on as many threads as there are cores, of the report that `predict_to`
writes and of the rows that `predict_paths` collects, each as a ratio to the first; then the most memory that a process
holds that lists and scores MANY files (links to small pictures, each taken as a face), beside one that scores a tenth
of them. Pictures are the composite demo faces.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dask.system import cpu_count
from PIL import Image

from analysis.data.sources import demo_source
from model.batch import predict_paths, predict_to
from model.predict import Predictor

ROUNDS = 3
LINKS = 30_000  # that one file may have, with room to spare

_MEMORY = """
import sys
sys.path.insert(0, "benchmarks")
from memory import peak_memory
from model.batch import predict_to
from model.predict import Predictor
predict_to(sys.argv[2], [sys.argv[1]], Predictor.load(threads=1), crop="none")
print(peak_memory())
"""


def bare(photos: list[bytes], predictor: Predictor) -> None:
    """The predictor alone, on photos in memory."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        for _ in pool.map(predictor.predict_photo, photos):
            pass


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def memory_of(count: int) -> float:
    """Most memory, in MB, of a process that scores so many files."""
    with tempfile.TemporaryDirectory() as folder:
        originals = Path(folder, "in")
        originals.mkdir()
        for number in range(count):
            if number % LINKS == 0:
                first = originals / f"{number:07}.png"
                Image.new("RGB", (16, 16), (90, 80, number % 256)).save(first)
            else:
                os.link(first, originals / f"{number:07}.png")
        command = [sys.executable, "-c", _MEMORY, str(originals), str(Path(folder, "out.parquet"))]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure and print."""
    count, many = (int(each) for each in (*sys.argv[1:], "400", "20000")[:2])
    predictor = Predictor.load(threads=1)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(demo_source()) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        photos = [archive.read(names[i % len(names)]) for i in range(count)]
        originals = Path(folder, "in")
        originals.mkdir()
        for number, photo in enumerate(photos):
            (originals / f"{number:06}.jpg").write_bytes(photo)
        ways: dict[str, Callable[[], object]] = {
            "bare predictor": lambda: bare(photos, predictor),
            "predict_to": lambda: predict_to(Path(folder, "out.parquet"), [originals], predictor),
            "predict_paths": lambda: predict_paths([originals], predictor),
        }
        bare(photos[:20], predictor)
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):  # in turns: the machine is not always as fast
            for name, work in ways.items():
                took[name].append(seconds(work))
    first = statistics.median(took["bare predictor"])
    print(f"{count} photos on {cpu_count()} cores")
    for name, each in took.items():
        middle = statistics.median(each)
        print(f"{name:<16} {count / middle:7.1f} photos a second, ratio {first / middle:.2f}")
    few = many // 10
    print(f"most memory: {memory_of(few):.0f} MB for {few:,} files, {memory_of(many):.0f} MB for {many:,}")


if __name__ == "__main__":
    main()
