"""The README's numbers are those of the published run, and its picture is there."""

import re
import subprocess
import sys

from analysis.core.paths import PROJECT


def test_numbers_are_those_of_the_published_run() -> None:
    done = subprocess.run([sys.executable, "tools/readme.py", "--check"], cwd=PROJECT, check=False)
    assert done.returncode == 0, "run `python tools/readme.py`"


def test_what_the_readme_links_to_exists() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (PROJECT / target).exists(), target


def test_repository_holds_no_photo() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    pictures = [name for name in listed.stdout.splitlines() if re.search(r"\.(jpe?g|png|webp|npy|npz)$", name, re.I)]
    assert set(pictures) <= {"docs/screenshot.png"}
