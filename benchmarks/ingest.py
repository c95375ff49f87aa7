"""Speed and memory of ingest: python benchmarks/ingest.py

Makes archives of synthetic photos, 178 x 218 pixels in the Kaggle layout; each photo is a blend of two faces of a
fetched data set (default: the demo faces), so that no two are near duplicates. Then prints, measured in one run on the
same cores, the images per second of ``cv2.imdecode`` alone on the same bytes and of ingests with ``--align detect``
(the default) and ``--align source``, with their ratio to decoding alone, and the peak memory of ingests of several
sizes, each in a separate process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from memory import peak_memory

from analysis.data.ingest import ingest
from analysis.data.photo import decode_photo
from analysis.data.sources import demo_source, open_source, register

SIZE = (178, 218)
TARGET = 0.75  # of the images per second of decoding alone
BASIS = 2000  # largest number of photos that the others are blended from
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def basis(name: str | None) -> list[np.ndarray]:
    """Faces of a data set, or else the demo faces, uint8 (218, 178, 3), RGB."""
    if name is None:
        with zipfile.ZipFile(demo_source()) as archive:
            data = [archive.read(file) for file in archive.namelist() if file.endswith(".jpg")]
    else:
        source = open_source(name)
        paths = source.images["source_path"]
        data = [source.read(path) for path in paths[:: max(1, len(paths) // BASIS)][:BASIS]]
    return [cv2.resize(decode_photo(photo), SIZE, interpolation=cv2.INTER_CUBIC) for photo in data]


def photos(count: int, faces: list[np.ndarray]) -> Iterator[tuple[str, bytes]]:
    """Name in the archive and JPEG of ``count`` photos, about 6 kB each as CelebA's."""
    rng = np.random.default_rng(0)
    for i in range(count):
        first, second = rng.choice(len(faces), 2, replace=False)
        weight = rng.uniform(0.4, 0.8)
        blend = cv2.addWeighted(faces[first], weight, faces[second][:, :: rng.choice([-1, 1])], 1 - weight, 0)
        shift = np.array([[1, 0, rng.uniform(-6, 6)], [0, 1, rng.uniform(-6, 6)]])
        blend = cv2.warpAffine(blend, shift, SIZE, borderMode=cv2.BORDER_REPLICATE)
        grain = rng.integers(-4, 5, blend.shape, dtype=np.int16)
        blend = np.clip(blend + grain, 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(blend, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
        split, label = ("Train", "Validation", "Test")[i % 3], ("Female", "Male")[i // 3 % 2]
        yield f"Dataset/{split}/{label}/{i:06d}.jpg", data.tobytes()


def write_archives(folder: Path, counts: list[int], faces: list[np.ndarray]) -> dict[int, Path]:
    """Write one archive per size; a smaller one has the first photos of a larger one."""
    archives = {count: zipfile.ZipFile(folder / f"{count}.zip", "w") for count in counts}
    for i, (name, data) in enumerate(photos(max(counts), faces)):
        for count, archive in archives.items():
            if i < count:
                archive.writestr(name, data)
    for archive in archives.values():
        archive.close()
    return {count: folder / f"{count}.zip" for count in counts}


def decode_rate(path: Path) -> float:
    """Images per second of OpenCV's decoder alone, with all bytes in memory, on all cores."""
    with zipfile.ZipFile(path) as archive:
        data = [np.frombuffer(archive.read(name), np.uint8) for name in archive.namelist()]

    def decode(part: list[np.ndarray]) -> None:
        for photo in part:
            cv2.imdecode(photo, cv2.IMREAD_COLOR)

    parts = [data[start : start + 256] for start in range(0, len(data), 256)]
    with ThreadPoolExecutor(CORES) as pool:
        began = time.perf_counter()
        list(pool.map(decode, parts))
        return len(data) / (time.perf_counter() - began)


def alone(path: Path, align: str) -> None:
    """Ingest an archive and print the images per second and the peak memory in MB as JSON."""
    register(path, "faces")
    began = time.perf_counter()
    facts = ingest("faces", align="source" if align == "source" else "detect", progress=False)
    rate = facts.images / (time.perf_counter() - began)
    print(json.dumps({"rate": rate, "peak": peak_memory()}))


def process(path: Path, align: str) -> dict[str, float]:
    """Ingest in a separate process with its own data folder: ``rate`` (images per second) and ``peak`` (MB)."""
    with tempfile.TemporaryDirectory(dir=path.parent) as home:
        environment = os.environ | {"MEANFACE_HOME": home, "MEANFACE_DATA": ""}
        command = [sys.executable, __file__, "--alone", str(path), align]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000, help="number of photos for measuring speed")
    parser.add_argument("--sizes", default="5000,20000,50000", help="numbers of photos for measuring memory")
    parser.add_argument("--data", help="fetched data set to blend photos from; default: the demo faces")
    parser.add_argument("--alone", nargs=2, metavar=("ARCHIVE", "ALIGN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(Path(options.alone[0]), options.alone[1])
        return
    cv2.setNumThreads(1)
    sizes = [int(size) for size in options.sizes.split(",") if size]
    with tempfile.TemporaryDirectory() as folder:
        archives = write_archives(Path(folder), sorted({options.images, *sizes}), basis(options.data))
        path = archives[options.images]
        print(f"{CORES} cores; {options.images:,} photos of {path.stat().st_size / options.images / 1e3:.1f} kB")
        before, runs = decode_rate(path), {align: process(path, align) for align in ("detect", "source")}
        bare = (before + decode_rate(path)) / 2  # before and after, as the load of the machine may change
        print(f"{'cv2.imdecode alone':<28}{bare:8.0f} images a second  1.00")
        for align, run in runs.items():
            share = f"{run['rate'] / bare:.2f}, aimed at {TARGET}"
            print(f"{f'ingest --align {align}':<28}{run['rate']:8.0f} images a second  {share}")
        peaks = {size: process(archives[size], "source")["peak"] for size in sizes}
        for size, peak in peaks.items():
            ratio = peak / peaks[sizes[0]]
            print(f"{f'peak memory of {size:,} photos':<28}{peak:8.0f} MB{'':<15}{ratio:.2f}")


if __name__ == "__main__":
    main()
