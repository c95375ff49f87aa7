"""Scoring a photo leaves nothing behind on the machine, and reports to nobody."""

import os
import subprocess
import sys
from pathlib import Path

import photos

_SCORE = """
import sys
from pathlib import Path
from model.predict import Predictor
Predictor.load(Path(sys.argv[1])).predict_photo(Path(sys.argv[2]).read_bytes())
"""


def test_scoring_writes_nothing_into_the_home_of_its_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    photos.portrait().save(tmp_path / "photo.png")
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment |= {"HOME": str(home), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", _SCORE, str(root / "results" / "model"), str(tmp_path / "photo.png")]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert not [path for path in home.rglob("*") if path.is_file()]
