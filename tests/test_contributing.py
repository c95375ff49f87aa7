"""The worked examples of CONTRIBUTING.md are run as they stand, in order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_work(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```python\n") == 4
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "contributing"}
    for example in examples:
        exec(compile(example, "CONTRIBUTING.md", "exec"), namespace)


def test_what_the_page_names_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:analysis|dashboard|model|site|tests|docs)/[\w/.]+)`", page)
    assert named
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing
