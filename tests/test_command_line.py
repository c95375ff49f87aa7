"""The command as a process: odd names, terminals that show little, and output that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from analysis.core.paths import PROJECT

MODEL = str(PROJECT / "results/model")


def meanface(*arguments: object, home: Path, stdout: int | None = subprocess.PIPE, **environment: str) -> tuple:
    """Run the command; its code and what it wrote, as bytes."""
    done = subprocess.run(
        [sys.executable, "-c", "from meanface import main; main()", *map(str, arguments)],
        env={**os.environ, "MEANFACE_HOME": str(home), "PYTHONPATH": str(PROJECT), **environment},
        cwd=home,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures whose names are no UTF-8, not of this alphabet, or not printable."""
    for name in ("naïve €.png", "a\nb\x1b[31m.png", os.fsdecode(b"b\xe9.png")):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "in" / name, "PNG")
    return tmp_path / "in"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_a_terminal_cannot_show_are_escaped_and_none_is_lost(photos: Path, encoding: str) -> None:
    command = ("predict", photos, "--crop", "none", "--model", MODEL)
    code, out, _ = meanface(*command, home=photos.parent, PYTHONIOENCODING=encoding)
    assert code == 0
    text = out.decode(encoding)
    assert text.count(".png") == 3 and "\\xe9.png" in text
    assert ("naïve €" if encoding == "utf-8" else "\\u20ac") in text


def test_a_message_is_one_line_of_printable_characters(photos: Path) -> None:
    for name in (os.fsdecode(b"no\xe9\n\x1b[2J.png"), "nicht \u2028 da"):
        code, _, said = meanface("predict", photos / name, home=photos.parent, PYTHONIOENCODING="ascii")
        assert code == 2
        assert said.startswith(b"meanface: ") and said.count(b"\n") == 1
        assert b"\x1b" not in said and said.endswith(b"does not exist: give photos or folders of photos\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_is_taken_in_part_is_no_success(tmp_path, unbuffered):
    """Without a buffer, as in many containers, Python itself loses what a full disk does not take."""
    script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); from meanface import main; main()"
    with (tmp_path / "out").open("wb") as out:
        ended = subprocess.run(
            [sys.executable, "-c", script, "config"],
            check=False,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("meanface: ") and ended.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without /dev/full")
def test_a_full_output_is_told_in_one_line_with_code_2(photos: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        code, _, said = meanface(
            "predict", photos, "--crop", "none", "--model", MODEL, home=photos.parent, stdout=full.fileno()
        )
    assert code == 2
    assert said == b"meanface: the output cannot be written (No space left on device)\n"


def test_who_reads_the_output_may_stop_reading(photos: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        code, _, said = meanface(
            "predict", photos, "--crop", "none", "--model", MODEL, home=photos.parent, stdout=write
        )
    finally:
        os.close(write)
    assert code in (1, 2) and b"Traceback" not in said


@pytest.mark.parametrize(
    "command",
    [
        ("fetch", "demo"),
        ("predict", "in", "--output", "data/x.csv", "--model", MODEL),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_line_with_code_2(photos: Path, command: tuple) -> None:
    home = photos.parent
    (home / "data").write_text("a file where a folder is needed")
    code, _, said = meanface(*command, home=home)
    assert code == 2
    assert b"cannot be written" in said and said.count(b"\n") == 1


def test_a_closed_stdout_is_told_before_the_work(tmp_path: Path) -> None:
    command = 'exec "$0" -c "from meanface import main; main()" config'
    environment = {**os.environ, "MEANFACE_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    for closed, said in ((">&-", "meanface: stdout is closed"), (">&- 2>&-", "")):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}", sys.executable],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2 and done.stderr.startswith(said) and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("recipe",), "missing argument 'RUN' (see `meanface recipe --help`)"),
        (("compose", "celeba"), "missing option '--output' (see `meanface compose --help`)"),
        (("seek",), "no such command 'seek'"),
        (("predict", "--crpo", "none", "x.jpg"), "no such option: --crpo"),
        (("predict", "--crop", "all", "x.jpg"), "invalid value for '--crop': 'all' is not one of 'detect', 'none'"),
        (("publish", "a", "b"), "got unexpected extra argument"),
        (("fetch", "demo", "--name", ""), "'' is not a valid name for a data set"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_missing_and_unknown_arguments_are_told_in_one_line_with_code_2(
    command: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from meanface import main

    monkeypatch.setattr(sys, "argv", ["meanface", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capfd.readouterr()
    assert said.err.startswith(f"meanface: {says}") and said.err.count("\n") == 1
    assert not said.out
