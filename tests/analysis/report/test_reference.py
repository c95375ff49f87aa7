"""The Python reference: everything that a wing exports stands in it once, and what its docstrings name is linked."""

import importlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import griffe
import pytest
from PIL import Image

from analysis.core.paths import PROJECT
from analysis.data.sources import demo_source
from analysis.report import reference

WINGS = sorted(wing for wings in reference.PAGES.values() for wing in wings)
HEADING = re.compile(r"^#{2,6} .*\{#([\w.]+)[ }]", re.MULTILINE)
LINK = re.compile(r"\]\((?:reference-(\w+)\.qmd)?#([\w.]+)\)")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {page: reference.reference(page).data for page in reference.PAGES}


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Describe a module that is not the project's."""

    def describe(code: str) -> str:
        (tmp_path / "sample.py").write_text(code, encoding="utf-8")
        sample = griffe.load("sample", search_paths=[tmp_path], docstring_parser="numpy", allow_inspection=False)
        return "\n".join(part for entry in sample.members.values() for part in reference._described(entry))

    return describe


def test_every_wing_is_on_one_page() -> None:
    stubs = [file.parent.relative_to(PROJECT) for file in PROJECT.glob("[adm]*/**/__init__.pyi")]
    wings = {".".join(stub.parts) for stub in stubs} | {"dashboard.pages"}
    assert sorted(wings - {"analysis"}) == WINGS  # `analysis` exports wings alone


@pytest.mark.parametrize("wing", WINGS)
def test_every_public_name_of_a_wing_has_one_entry(wing: str, texts: dict[str, str]) -> None:
    entries = [name for page in texts.values() for name in HEADING.findall(page)]
    package = importlib.import_module(wing)
    assert entries.count(wing) == 1
    for name in package.__all__:
        assert entries.count(f"{wing}.{name}") == 1, name


def test_nothing_is_listed_twice(texts: dict[str, str]) -> None:
    documented = [entry.canonical_path for wing in WINGS for _, entry, _ in reference._entries(wing)]
    assert len(documented) == len(set(documented))


def test_every_entry_says_something(texts: dict[str, str]) -> None:
    for wing in WINGS:
        for path, entry, _ in reference._entries(wing):
            assert entry.docstring is not None and entry.docstring.value.strip(), path


def test_every_link_leads_to_an_entry(texts: dict[str, str]) -> None:
    entries = {page: set(HEADING.findall(text)) for page, text in texts.items()}
    for page, text in [*texts.items(), ("", reference.overview().data)]:
        links = LINK.findall(text)
        assert links
        for target, name in links:
            assert name in entries[target or page], (page, name)


def test_names_that_docstrings_mention_are_linked(texts: dict[str, str]) -> None:
    assert (
        "[`analysis.averages.filters.load_table`](reference-study.qmd#analysis.averages.load_table)" in texts["study"]
    )
    assert "[`UserError`](reference-data.qmd#analysis.core.UserError)" in texts["model"]


def test_a_call_is_shown_with_types_and_defaults_one_a_line_where_it_is_long(texts: dict[str, str]) -> None:
    assert "```python\nregister(path: str | Path, name: str, metadata: Sequence[str | Path] = ())" in texts["data"]
    assert "resolve_splits(manifest: pd.DataFrame, faces: Any, *, seed: int = 0)" in re.sub(
        r",\n\)", ")", re.sub(r"\(\n    ", "(", re.sub(r",\n    ", ", ", texts["data"]))
    )
    assert "\n    weight_decay: float = 0.1,\n" in texts["model"]


def test_fields_are_listed_with_what_is_said_where_they_are_declared(texts: dict[str, str]) -> None:
    assert "`excluded` `int`\n:   Images that were left out" in texts["data"]
    assert "`p_male` `float`\n:   Calibrated probability" in texts["dashboard"]


def test_what_a_docstring_says_is_not_read_as_markup(described) -> None:
    said = described(
        'def work(x, y):\n    """Costs $5 or 2 * 3 * x, <NA> where `a_b` is [unknown]_ for ``~/*.jpg``.\n\n'
        '    Parameters\n    ----------\n    x, y\n        First | second.\n    """\n'
    )
    assert r"Costs \$5 or 2 \* 3 \* x, \<NA\> where `a_b` is \[unknown\]\_ for `~/*.jpg`." in said
    assert "`x`\n:   First \\| second.\n`y`\n:   First" in said


def test_code_in_a_docstring_stays_as_it_is(described) -> None:
    said = described(
        'class Work:\n    """Do it. ::\n\n        a = {"b": 1}  # *all*\n\n        done()\n\n    Then *go*.\n    """\n'
    )
    assert 'Do it.\n\n    a = {"b": 1}  # *all*\n\n    done()\n\nThen \\*go\\*.' in said


def test_a_section_that_cannot_be_shown_is_not_left_out(described) -> None:
    with pytest.raises(ValueError, match="sample.work has a section"):
        described('def work():\n    """Do it.\n\n    Warns\n    -----\n    UserWarning\n        Often.\n    """\n')


def test_importing_a_wing_loads_nothing_heavy() -> None:
    code = f"import sys, {', '.join(wing for wing in WINGS if wing != 'dashboard.pages')}\nprint(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    heavy = {"numpy", "pandas", "pydantic", "panel", "holoviews", "tensorflow", "typer", "zarr"}
    assert not heavy & set(loaded.split())


def test_the_example_of_the_overview_runs(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"^```python\n(.*?)^```", (PROJECT / "site/reference.qmd").read_text("utf-8"), re.M | re.S)
    with zipfile.ZipFile(demo_source()) as archive:
        face = Image.open(io.BytesIO(archive.read(next(name for name in archive.namelist() if name.endswith(".jpg")))))
    portrait = Image.new("RGB", (3 * face.width, 3 * face.height), "grey")
    portrait.paste(face, (face.width, face.height))
    portrait.save(tmp_path / "portrait.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(example[1], names)  # type: ignore[index]
    assert 0.5 < names["accuracy"] <= 1
    assert names["faces"][0].label in ("female", "male", "uncertain")
    assert names["counts"].to_dict() == {"female": 200, "male": 200}


@pytest.mark.slow
@pytest.mark.parametrize("wing", WINGS)
def test_everything_that_a_wing_exports_is_there(wing: str) -> None:
    package = importlib.import_module(wing)
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
