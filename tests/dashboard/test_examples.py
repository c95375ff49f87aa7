"""The examples of the report, run as a reader would run them, against a server that listens."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from fakes import FEMALE, MALE, NO_FACE, UNCERTAIN

from analysis.core.paths import PROJECT

EXAMPLES = PROJECT / "site" / "examples"
RUN_BY = {".sh": ["bash"], ".py": [sys.executable], ".mjs": ["node"]}
NEEDS = {".sh": ("bash", "curl"), ".py": (), ".mjs": ("node",)}
EVERY = sorted(EXAMPLES.iterdir())


def run(example, *photos, **environment):
    if missing := [tool for tool in NEEDS[example.suffix] if not shutil.which(tool)]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    return subprocess.run(
        [*RUN_BY[example.suffix], str(example), *map(str, photos)],
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def scored(example, printed):
    """Label and score of each face: curl prints the whole answer, the others a line a face."""
    if example.suffix == ".sh":
        faces = [face for result in json.loads(printed)["results"] for face in result["faces"]]
        return [[face["label"], face["p_male"]] for face in faces]
    return [[label, float(p_male)] for label, p_male in (line.split(" ") for line in printed.splitlines())]


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / 'my "portrait".png'
        path.write_bytes(content)
        return path

    return save


def test_there_is_one_example_in_each_language():
    assert [example.name for example in EVERY] == ["predict.mjs", "predict.py", "predict.sh"]


@pytest.mark.parametrize("example", EVERY, ids=lambda example: example.name)
def test_an_example_prints_label_and_score_of_every_face(example, live, saved):
    for content, said in ((FEMALE, ["female", 0.16]), (MALE, ["male", 0.86]), (UNCERTAIN, ["uncertain", 0.51])):
        done = run(example, saved(content), MEANFACE_URL=live.url)
        assert done.returncode == 0, done.stderr
        assert scored(example, done.stdout) == [said]


@pytest.mark.parametrize("example", EVERY, ids=lambda example: example.name)
def test_an_example_fails_with_the_reason_where_no_face_is_found(example, live, saved):
    done = run(example, saved(NO_FACE), MEANFACE_URL=live.url)
    assert done.returncode != 0
    # curl gives the problem document where the answer would be
    assert "no face found" in (json.loads(done.stdout)["detail"] if example.suffix == ".sh" else done.stderr)


@pytest.mark.parametrize("photos", [(), ("one.jpg", "two.jpg")], ids=["none", "two"])
@pytest.mark.parametrize("example", EVERY, ids=lambda example: example.name)
def test_an_example_without_exactly_one_photo_says_how_it_is_called(example, photos):
    done = run(example, *photos)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"usage: \w+ {example.name} PHOTO\n", done.stderr)


@pytest.mark.parametrize("example", EVERY, ids=lambda example: example.name)
def test_an_example_given_a_photo_that_is_not_there_says_so_in_one_line(example, tmp_path):
    done = run(example, tmp_path / "nothing.jpg", MEANFACE_URL="http://127.0.0.1:9")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
