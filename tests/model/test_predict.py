"""Predictor, batch scoring and their command, on a tiny network made here."""

import importlib.util
import io
import json
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from analysis.core.errors import UserError
from analysis.data.sources import demo_source
from analysis.results.records import Band
from model.batch import count_photos, find_photos, predict_paths
from model.commands import app
from model.predict import NoFaceError, Predictor, calibrated, decision, window
from model.predictions import COLUMNS

# Looked for, not imported: TensorFlow's logging would take hold of the stream that pytest captures while it collects.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="training is not installed")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from model.training.architecture import Architecture, build, serving_network
    from model.training.export import export

    folder = tmp_path_factory.mktemp("model")
    architecture = Architecture(height=40, width=40, filters=(4, 8), blocks=(1, 1), attributes=3)
    faces = np.random.default_rng(0).integers(0, 256, (32, 40, 40, 3), np.uint8)
    network = serving_network(build(architecture), architecture)
    export(network, folder, run="tiny", calibration=faces, validation=faces, male=np.arange(32) % 2 > 0)
    return folder


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> Predictor:
    return Predictor.load(model_folder)


@pytest.fixture(scope="module")
def portrait() -> bytes:
    with zipfile.ZipFile(demo_source()) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".jpg")))


def blank() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (120, 120), "grey").save(buffer, "PNG")
    return buffer.getvalue()


def test_photo_gives_a_face_with_its_box_and_score(predictor: Predictor, portrait: bytes) -> None:
    (face,) = predictor.predict_photo(portrait)
    assert face.face == 0
    assert 0 <= face.x < face.x + face.width <= 178
    assert 0 <= face.y < face.y + face.height <= 218
    assert 0 <= face.p_male <= 1
    assert face.label in {"female", "male", "uncertain"}


def test_photo_taken_as_aligned_is_one_face_as_large_as_the_photo(predictor: Predictor, portrait: bytes) -> None:
    (face,) = predictor.predict_photo(portrait, crop="none")
    assert (face.x, face.y, face.width, face.height) == (0, 0, 178, 218)
    assert predictor.predict_photo(blank(), crop="none")


def test_photo_without_a_face_is_never_guessed(predictor: Predictor) -> None:
    with pytest.raises(NoFaceError, match="no face found"):
        predictor.predict_photo(blank())


def test_serving_needs_no_tensorflow() -> None:
    import subprocess
    import sys

    code = "import sys, model.predict, model.batch; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_batches_and_single_faces_agree(predictor: Predictor, rng: np.random.Generator) -> None:
    faces = rng.integers(0, 256, (130, 109, 89, 3)).astype(np.uint8)
    together = predictor.predict_faces(faces)
    single = [predictor.predict_faces(faces[i : i + 1])[0] for i in (0, 70, 129)]
    np.testing.assert_allclose(together[[0, 70, 129]], single, atol=1e-5)
    assert predictor.predict_faces(faces[:0]).shape == (0,)


def test_threads_get_their_own_answers(predictor: Predictor, rng: np.random.Generator) -> None:
    faces = rng.integers(0, 256, (8, 109, 89, 3)).astype(np.uint8)
    expected, wrong = predictor.predict_faces(faces), []

    def work(i: int) -> None:
        for _ in range(20):
            if abs(float(predictor.predict_faces(faces[i : i + 1])[0] - expected[i])) > 1e-5:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_faces_of_another_shape_or_type_are_refused(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="uint8"):
        predictor.predict_faces(np.zeros((1, 109, 89, 3), np.float32))
    with pytest.raises(ValueError, match="109"):
        predictor.predict_faces(np.zeros((1, 80, 80, 3), np.uint8))


def test_changed_serving_file_is_refused(model_folder: Path, tmp_path: Path) -> None:
    data = (model_folder / "model.onnx").read_bytes()
    (tmp_path / "model.json").write_text((model_folder / "model.json").read_text())
    (tmp_path / "model.onnx").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match="not the file that model.json describes"):
        Predictor.load(tmp_path)
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(UserError, match="publish"):
        Predictor.load(tmp_path)


def test_window_is_part_of_the_frame() -> None:
    faces = np.arange(109 * 89 * 3).reshape(1, 109, 89, 3)
    seen = window(faces, 80, 80)
    assert seen.shape == (1, 80, 80, 3)
    assert seen.base is not None
    assert window(faces, 109, 89).shape == faces.shape


def test_decision_is_uncertain_only_strictly_inside_the_band() -> None:
    band = Band(low=0.3, high=0.7)
    assert [decision(p, band) for p in (0.1, 0.3, 0.31, 0.69, 0.7, 0.9)] == [
        "female", "female", "uncertain", "uncertain", "male", "male",
    ]  # fmt: skip
    assert decision(0.5, Band(low=0.5, high=0.5)) == "male"


def test_temperature_softens_and_keeps_the_side() -> None:
    scores = calibrated(np.array([-2.0, 0.0, 2.0]), 4.0)
    assert scores[1] == 0.5
    assert 0.12 < scores[0] < 0.5 < scores[2] < 0.88


def test_one_row_a_face_and_a_row_for_each_file_that_fails(
    predictor: Predictor, portrait: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(portrait)
    (tmp_path / "b.png").write_bytes(blank())
    (tmp_path / "c.jpg").write_bytes(portrait[: len(portrait) // 2])
    (tmp_path / "notes.txt").write_text("not a photo")
    table = predict_paths([tmp_path], predictor)
    assert list(table.columns) == list(COLUMNS)
    assert [Path(file).name for file in table["file"]] == ["a.jpg", "b.png", "c.jpg"]
    assert table["error"].isna().tolist() == [True, False, False]
    assert "no face found" in table["error"][1]
    assert "cut short" in table["error"][2]
    assert table["label"].isna().tolist() == [False, True, True]


def test_missing_path_and_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        list(find_photos([tmp_path / "nothing.jpg"]))
    with pytest.raises(UserError, match="no photo found: give JPEG, .* or GIF files"):
        count_photos([tmp_path])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_command_writes_each_format(model_folder: Path, portrait: bytes, tmp_path: Path, suffix: str) -> None:
    photo, output = tmp_path / "a.jpg", tmp_path / f"out{suffix}"
    photo.write_bytes(portrait)
    done = CliRunner().invoke(app, ["predict", str(photo), "--output", str(output), "--model", str(model_folder)])
    assert done.exit_code == 0, done.output
    reader = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": lambda path: pd.read_json(path, lines=True)}
    table = reader[suffix](output)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 1


def test_command_prints_csv_and_fails_only_if_nothing_was_scored(
    model_folder: Path, portrait: bytes, tmp_path: Path
) -> None:
    good, bad = tmp_path / "a.jpg", tmp_path / "b.jpg"
    good.write_bytes(portrait)
    bad.write_bytes(b"broken")
    runner = CliRunner()
    both = runner.invoke(app, ["predict", str(good), str(bad), "--model", str(model_folder)])
    assert both.exit_code == 0
    assert both.stdout.startswith("file,face,x,y,width,height,label,p_male,turned,small,error\n")
    assert both.stdout.count("\n") == 3
    assert runner.invoke(app, ["predict", str(bad), "--model", str(model_folder)]).exit_code == 2


def test_card_says_what_the_file_expects(model_folder: Path) -> None:
    card = json.loads((model_folder / "model.json").read_text())
    assert card["input"] == {"height": 40, "width": 40, "frame": [109, 89]}
    assert card["labels"] == ["female", "male"]
