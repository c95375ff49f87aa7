"""Many photos: streamed, resumed after a kill, on a cluster, to any place, with any name, and onto a full disk."""

import contextlib
import io
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet
from typer.testing import CliRunner

from analysis.core import compute, paths
from analysis.core.errors import UserError
from analysis.core.spreadsheet import as_csv
from model import batch, predictions
from model.batch import Photo, cut, find_photos, place_of, predict_on, predict_paths, predict_to
from model.commands import app
from model.predict import Predictor
from model.predictions import COLUMNS, Report, as_table, check_output

PHOTOS = 100
LONG = "/".join(["long" * 60] * 3)  # names of folders, so that a report takes more than its parts
SMALL = {"_LEAST": 16, "_ON_AVERAGE": 16}  # parts of few photos


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(batch, name, value)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(paths.PROJECT / "results/model", threads=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 100 plain pictures, and one that is broken."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PHOTOS):
        write_picture(folder / LONG / f"{number % 7}" / f"{number:04}.png", number)
    (folder / LONG / "3" / "broken.jpg").write_bytes(b"no photo")
    return folder


def write_picture(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (number % 256, 80, 90)).save(path, "PNG")


def run(output: Path, photos: Path, *, limit: int = 0, parts: int = 0) -> tuple[int, str]:
    """Predict into a file in another process, which may write so many bytes a file, or is killed after some parts."""
    code = f"""
        import os, resource, signal, sys
        from pathlib import Path
        from analysis.core import storage
        from analysis.core.errors import UserError
        from model import batch, predictions
        from model.batch import predict_to
        from model.predict import Predictor
        batch.__dict__.update({SMALL!r})
        predictor = Predictor.load(Path({str(paths.PROJECT / "results/model")!r}), threads=1)
        if {limit}:
            resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        add, added = predictions.Report.add, []
        def killed(*arguments):
            add(*arguments)
            added.append(1)
            if len(added) == {parts}:
                os.kill(os.getpid(), signal.SIGKILL)
        predictions.Report.add = killed
        try:
            predict_to(sys.argv[1], [sys.argv[2]], predictor, crop="none")
        except UserError as error:
            sys.exit(str(error))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(output), str(photos)]
    done = subprocess.run(command, cwd=paths.PROJECT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def parts(output: Path) -> list[Path]:
    return sorted(output.with_name(f"{output.name}.part").glob("*.parquet"))


@pytest.fixture(scope="module")
def expected(predictor: Predictor, photos: Path) -> pd.DataFrame:
    return predict_paths([photos], predictor, crop="none")


def test_rows_are_in_the_order_of_the_photos_and_none_is_lost(expected: pd.DataFrame, photos: Path) -> None:
    assert list(expected.columns) == list(COLUMNS)
    assert expected["file"].tolist() == [photo.name for photo in find_photos([photos])]
    assert expected["file"].is_monotonic_increasing and expected["file"].is_unique
    assert len(expected) == PHOTOS + 1
    assert expected["error"].notna().sum() == 1


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_a_report_says_what_the_data_frame_says(
    predictor: Predictor, photos: Path, expected: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"out{ending}"
    counts = predict_to(output, [photos], predictor, crop="none")
    assert (counts.photos, counts.scored, counts.faces) == (PHOTOS + 1, PHOTOS, PHOTOS)
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": lambda path: pd.read_json(path, lines=True)}
    found = readers[ending](output)
    if ending == ".parquet":
        pd.testing.assert_frame_equal(found, expected)
    assert found["file"].tolist() == expected["file"].tolist()
    assert found["p_male"].to_numpy() == pytest.approx(expected["p_male"].to_numpy(), abs=1e-12, nan_ok=True)
    assert [each.name for each in tmp_path.iterdir()] == [output.name]


@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_report_goes_on_and_ends_the_same(
    predictor: Predictor, photos: Path, tmp_path: Path, after: int
) -> None:
    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    predict_to(whole, [photos], predictor, crop="none")
    assert run(killed, photos, parts=after)[0] == -signal.SIGKILL
    assert not killed.exists()
    assert len(parts(killed)) == after

    seen: list[str] = []
    real = batch.score
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "score", lambda photo, *rest: (seen.append(photo.name), real(photo, *rest))[1])
        counts = predict_to(killed, [photos], predictor, crop="none")
    assert counts.photos == PHOTOS + 1
    assert len(seen) < PHOTOS
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["killed.csv", "whole.csv"]


def test_a_photo_that_was_added_or_changed_after_a_kill_is_scored(
    predictor: Predictor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        write_picture(tmp_path / "in" / f"{number:03}.png", number)
    output = tmp_path / "out.parquet"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Report, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        predict_to(output, [tmp_path / "in"], predictor, crop="none")
    write_picture(tmp_path / "in/050b.png", 7)
    (tmp_path / "in/099.png").write_bytes(b"changed")
    seen: list[str] = []
    real = batch.score
    monkeypatch.setattr(batch, "score", lambda photo, *rest: (seen.append(photo.name), real(photo, *rest))[1])
    predict_to(output, [tmp_path / "in"], predictor, crop="none")
    table = pd.read_parquet(output)
    assert len(table) == 101 and table["file"].is_unique
    assert table.set_index("file")["error"].notna()[str(tmp_path / "in/099.png")]
    assert {"050b.png", "099.png"} <= {Path(name).name for name in seen} and len(seen) < 100


def test_parts_of_another_model_or_crop_are_not_taken_over(
    predictor: Predictor, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.parquet"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Report, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(batch, "score", lambda photo, *_: [{"file": photo.name, "error": "another way"}])
        predict_to(output, [photos], predictor, crop="detect")
    predict_to(output, [photos], predictor, crop="none")
    assert pd.read_parquet(output)["p_male"].notna().sum() == PHOTOS


def test_a_part_that_is_damaged_is_scored_again(
    predictor: Predictor, photos: Path, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.parquet"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Report, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        predict_to(output, [photos], predictor, crop="none")
    first, *_ = parts(output)
    first.write_bytes(first.read_bytes()[:-30])
    predict_to(output, [photos], predictor, crop="none")
    pd.testing.assert_frame_equal(pd.read_parquet(output), expected)


def test_two_that_write_the_same_report_do_not_mix(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    report = Report(tmp_path / "out.csv", {})
    with report.collecting(), pytest.raises(UserError, match="another `meanface predict` writes to"):
        predict_to(tmp_path / "out.csv", [photos], predictor, crop="none")


def test_a_report_that_no_longer_fits_on_the_disk_keeps_what_was_scored(
    predictor: Predictor, photos: Path, tmp_path: Path, expected: pd.DataFrame
) -> None:
    output = tmp_path / "out.csv"
    code, said = run(output, photos, limit=68_000)  # parts fit, the whole does not
    assert code == 1
    assert said.count("\n") == 1 and "Traceback" not in said
    assert "out.csv cannot be written (File too large): raise the limit" in said
    assert f"what was scored, {PHOTOS + 1} photos, is kept in {output}.part: the same command goes on" in said
    assert not output.exists()
    predict_to(output, [photos], predictor, crop="none")
    assert pd.read_csv(output)["file"].tolist() == expected["file"].tolist()


def test_parts_that_cannot_be_written_are_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(predictions.tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    report = Report(tmp_path / "out.csv", {})
    table = as_table([{"file": "a.jpg", "error": "x"}])
    with report.collecting():
        report.add("one", table)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        monkeypatch.setattr(predictions.storage, "write_whole", _full)
        with pytest.raises(UserError, match="what was scored, 1 photos, is kept in .*part, the last 1 in .*temporary"):
            report.add("two", table)
        assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
    (kept,) = (tmp_path / "temporary").glob("*.parquet")
    assert parquet.read_table(kept).equals(table)


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without /dev/full")
def test_an_output_that_is_full_is_seen_before_any_photo_is_scored(
    predictor: Predictor, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "score", None)
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails, too
    with pytest.raises(UserError, match="cannot be written .No space left"):
        predict_on(full, [photos], predictor, crop="none")
    with contextlib.suppress(OSError):
        full.close()


class _Stream(io.StringIO):
    """A stream that is full after some characters."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, text: str) -> int:
        if self.tell() + len(text) > self.room:
            _full()
        return super().write(text)


def test_a_stream_that_fills_up_leaves_the_rest_in_a_file(
    predictor: Predictor, photos: Path, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions.tempfile, "tempdir", str(tmp_path))
    stream = _Stream(15_000)
    with pytest.raises(UserError, match=r"photos that were scored but not written are kept in .*\.parquet$"):
        predict_on(stream, [photos], predictor, crop="none")
    (kept,) = tmp_path.glob("*.parquet")
    written = stream.getvalue().count("\n") - 1
    found = parquet.read_table(kept)["file"].to_pylist()
    assert found == expected["file"].tolist()[written : written + len(found)]


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_path_is_not_the_working_folder(empty: str) -> None:
    """As from a variable of a shell that is not set."""
    with pytest.raises(UserError, match="a path is empty"):
        place_of(empty)
    with pytest.raises(UserError, match="a path is empty"):
        next(find_photos([empty]))


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    for output, says in [
        ("out.xlsx", "end it in .csv, .parquet or .jsonl"),
        ("folder.csv", "is a folder: name a file"),
        ("file/out.csv", "a file is in the way"),
    ]:
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match=says):
            check_output(tmp_path / output)
    with pytest.raises(UserError, match=r"--excel is for CSV"):
        check_output(tmp_path / "out.parquet", excel=True)
    free = os.statvfs(tmp_path)
    with pytest.raises(UserError, match="cannot be written .No space left on device.: free some space"):
        check_output(tmp_path / "out.csv", photos=free.f_bavail * free.f_frsize // 100)


names = st.text(st.sampled_from("abcdefghij0123456789"), min_size=1, max_size=6)


@settings(deadline=None, max_examples=40)
@given(st.lists(names, min_size=200, max_size=900, unique=True), names)
def test_a_photo_more_changes_few_parts(found: list[str], more: str) -> None:
    def photos(of: list[str]) -> list[Photo]:
        return [Photo(name, name, "1") for name in sorted(set(of))]

    before, after = dict(cut(photos(found))), dict(cut(photos([*found, more])))
    assert [photo for part in after.values() for photo in part] == photos([*found, more])
    assert all(1 <= len(part) <= 512 for part in after.values())
    # From the next common end on, the parts are the same ones.
    assert len(set(after) - set(before)) <= 5


def test_names_that_are_not_utf_8_are_scored_and_escaped(
    predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / os.fsdecode(b"b\xe9\n.png")
    write_picture(odd)
    for given_ in (tmp_path, odd):
        table = predict_paths([given_], predictor, crop="none")
        assert table["file"].tolist() == [f"{tmp_path}/b\\xe9\n.png"] and table["error"].isna().all()
    for ending in predictions.ENDINGS:
        assert predict_to(tmp_path / f"out{ending}", [odd], predictor, crop="none").scored == 1
    assert pd.read_csv(tmp_path / "out.csv")["file"].tolist() == table["file"].tolist()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_cell_is_a_formula_to_a_spreadsheet(start: str) -> None:
    table = pd.DataFrame({"file": [f"{start}1+1.jpg", "a=b.jpg", None], "x": [-5, 3, 1], "p_male": [-0.5, 0.5, None]})
    text = as_csv(table)
    found = pd.read_csv(io.StringIO(text, newline=""))
    assert found["file"][0].startswith("'")
    assert found["file"][1] == "a=b.jpg" and found["file"].isna()[2]
    assert found["x"].tolist() == [-5, 3, 1] and found["p_male"][0] == -0.5


@pytest.mark.parametrize("name", ["a;{}", "a\t {}", "a\n{}", " {}", "\xa0{}", "\ufeff{}", "a; b\t{}"])
def test_no_part_of_a_cell_is_a_formula_where_white_space_or_another_separator_begins_one(name: str) -> None:
    found = pd.read_csv(io.StringIO(as_csv(pd.DataFrame({"file": [name.format("=1+1.jpg")]}))))["file"][0]
    cells = [cell.strip(" \xa0\ufeff") for cell in re.split(r"[;\t\n]", found)]
    assert not [cell for cell in cells if cell.startswith("=")] and found.replace("'", "") == name.format("=1+1.jpg")
    assert as_csv(pd.DataFrame({"file": ["a; b-c.jpg"]})) == "file\na; b-c.jpg\n"


def test_excel_is_told_the_encoding_where_it_is_asked_for(predictor: Predictor, photos: Path, tmp_path: Path) -> None:
    predict_to(tmp_path / "a.csv", [photos], predictor, crop="none", excel=True)
    predict_to(tmp_path / "b.csv", [photos], predictor, crop="none")
    marked, plain = (tmp_path / "a.csv").read_bytes(), (tmp_path / "b.csv").read_bytes()
    assert marked == b"\xef\xbb\xbf" + plain and not plain.startswith(b"\xef")
    stream = io.StringIO()
    predict_on(stream, [photos], predictor, crop="none", excel=True)
    assert stream.getvalue().encode() == marked


def test_photos_and_report_may_lie_in_any_place_that_fsspec_knows(
    predictor: Predictor, photos: Path, expected: pd.DataFrame
) -> None:
    place = paths.parse_location(f"memory://{photos.name}/in")
    for path in sorted(photos.rglob("*.*")):
        target = place / path.relative_to(photos).as_posix()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    output = f"memory://{photos.name}/new/out.parquet"
    counts = predict_to(output, [str(place)], predictor, crop="none")
    assert counts.photos == PHOTOS + 1
    with paths.parse_location(output).open("rb") as file:
        table = pd.read_parquet(file)
    assert table["p_male"].equals(expected["p_male"])
    assert table["file"][0].startswith("memory://") and table["file"][0].endswith(f"/in/{LONG}/0/0000.png")
    assert [each.name for each in paths.parse_location(output).parent.iterdir()] == ["out.parquet"]


@pytest.fixture(scope="module")
def workers() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as started:
        yield started.scheduler_address


def test_a_cluster_gives_the_same_rows_in_the_same_order(
    predictor: Predictor, photos: Path, expected: pd.DataFrame, tmp_path: Path, workers: str
) -> None:
    with compute.connected(workers):
        predict_to(tmp_path / "out.parquet", [photos], predictor, crop="none")
        found = predict_paths([photos], predictor, crop="none")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), expected)
    pd.testing.assert_frame_equal(found, expected)


def test_memory_does_not_grow_with_the_number_of_photos(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_LEAST", 4)
    monkeypatch.setattr(batch, "_MOST", 4)
    taken: list[int] = []

    def counted(found: Iterator[Photo]) -> Iterator[Photo]:
        for photo in found:
            taken.append(1)
            yield photo

    for number in range(100):
        write_picture(tmp_path / "in" / f"{number}.png", number)
    real, given_away, ahead = find_photos, 0, []
    monkeypatch.setattr(batch, "find_photos", lambda *args: counted(real(*args)))
    for table in batch._predicted([tmp_path / "in"], predictor, "none", None):
        given_away += len(table)
        ahead.append(len(taken) - given_away)
    assert given_away == 100
    assert max(ahead) <= 4 * (batch._AHEAD + 1)  # photos that are found before they are needed


def test_a_file_that_is_too_large_to_be_a_photo_is_not_read_whole(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(batch.LARGEST * 20)
    read: list[int] = []
    real = batch._start
    monkeypatch.setattr(batch, "LARGEST", 1 << 20)
    monkeypatch.setattr(batch, "_start", lambda place: (read.append(len(data := real(place))), data)[1])
    table = predict_paths([tmp_path], predictor)
    assert table["error"].tolist() == ["the file is over 1 MB: send a smaller one"]
    assert read == [(1 << 20) + 1]


def test_command_tells_what_it_leaves_out_and_takes_places_as_they_are_written(photos: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "in/a.png")
    write_picture(tmp_path / "in/.thumbnails/a.png")
    (tmp_path / "in/notes.txt").write_text("text")
    model = str(paths.PROJECT / "results/model")
    output = f"file://{tmp_path}/out.csv"
    done = CliRunner().invoke(
        app, ["predict", f"file://{tmp_path}/in", "--output", output, "--crop", "none", "--model", model, "--excel"]
    )
    assert done.exit_code == 0, done.output
    assert "left out: 1 hidden folder (.thumbnails)" in done.stderr
    assert "left out: 1 file that is not a photo (notes.txt)" in done.stderr
    assert f"{output}: 1 of 1 photos scored, 1 face\n" in done.stdout
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbffile,")


def test_a_part_counts_photos_scored_photos_and_faces() -> None:
    rows = [
        {"file": "a", "p_male": 0.5},
        {"file": "a", "p_male": 0.6},
        {"file": "b", "error": "no face"},
        {"file": "c", "p_male": 0.1},
    ]
    counts = predictions.count(as_table(rows))
    assert (counts.photos, counts.scored, counts.faces) == (3, 2, 3)
    assert isinstance(as_table([]), pa.Table) and predictions.count(as_table([])).photos == 0
