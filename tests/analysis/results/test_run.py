"""A run as an object: where it lies, and what it has stored."""

from pathlib import Path

import pytest
from synthetic import write_results

from analysis.core.errors import UserError
from analysis.results import Run


def test_a_run_is_opened_by_name_before_it_has_results(home: Path) -> None:
    run = Run.open("new")
    assert run.folder == home / "runs" / "new"
    with pytest.raises(UserError, match="is missing"):
        _ = run.results.metrics


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "..\\x"])
def test_what_is_no_name_of_a_folder_is_no_name_of_a_run(home: Path, name: str) -> None:
    with pytest.raises(UserError, match="no name of a run"):
        Run.open(name)


def test_the_published_run_knows_its_own_name(home: Path) -> None:
    write_results(home / "results")
    run = Run.published()
    assert (run.name, run.folder) == ("synthetic", home / "results")
    assert len(run.results.labels) == 6
