"""Executed pages are kept as long as nothing that they are made from changes."""

from pathlib import Path

import pytest

from analysis.core import paths
from analysis.report import freeze


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a result, of a project with one page and no code; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(paths, "PROJECT", tmp_path / "project")
    monkeypatch.setattr(paths, "PACKAGES", tmp_path / "code")
    for name, text in {
        "project/site/page.qmd": "text",
        "project/site/assets/style.css": "a {}",
        "code/analysis/figures/chart.py": "1",
        "results/run.json": "{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "results"


def page_of(results: Path) -> Path:
    return results.parent / "project/site/page.qmd"


def test_page_is_kept_until_its_text_changes(results: Path) -> None:
    page, frozen = page_of(results), freeze.Frozen(results)
    assert frozen.executed(page) is None
    frozen.keep(page, "executed")
    assert freeze.Frozen(results).executed(page) == "executed"
    page.write_text("other text")
    assert freeze.Frozen(results).executed(page) is None


@pytest.mark.parametrize("changed", ["results/run.json", "code/analysis/figures/chart.py"])
def test_page_is_executed_again_once_results_or_figures_change(changed: str, results: Path) -> None:
    freeze.Frozen(results).keep(page_of(results), "executed")
    (results.parent / changed).write_text("2")
    assert freeze.Frozen(results).executed(page_of(results)) is None


def test_looks_change_no_executed_page(results: Path) -> None:
    freeze.Frozen(results).keep(page_of(results), "executed")
    before = freeze.fingerprint(results)
    (results.parent / "project/site/assets/style.css").write_text("b {}")
    assert freeze.Frozen(results).executed(page_of(results)) == "executed"
    assert freeze.fingerprint(results) != before  # the site is built again all the same


def test_page_knows_whether_the_predictor_was_made(results: Path) -> None:
    freeze.Frozen(results).keep(page_of(results), "without")
    assert freeze.Frozen(results, [page_of(results)]).executed(page_of(results)) is None


def test_cache_that_cannot_be_written_is_done_without(results: Path) -> None:
    (results.parent / "cache").write_text("a file")
    frozen = freeze.Frozen(results)
    frozen.keep(page_of(results), "executed")
    frozen.tidy()
    assert frozen.executed(page_of(results)) is None


def test_only_the_last_states_are_kept(results: Path) -> None:
    folders = []
    for state in range(5):
        (results / "run.json").write_text(str(state))
        frozen = freeze.Frozen(results)
        frozen.keep(page_of(results), "executed")
        frozen.tidy()
        folders.append(frozen.folder)
    assert folders[-1].is_dir() and sum(folder.is_dir() for folder in folders) == 3


def test_quarto_executes_all_pages_again_once_results_change(results: Path) -> None:
    project = results.parent / "project"
    freeze.forget(project, results)
    kept = project / "_freeze" / "page.json"
    kept.write_text("{}")
    freeze.forget(project, results)
    assert kept.exists()
    (results / "run.json").write_text("2")
    freeze.forget(project, results)
    assert not kept.exists()
