"""How often this run and the runs that it was trained from were evaluated on the test split.

Training further after seeing a test result, or choosing among runs, lets the test split influence the choice. This is
counted, not forbidden.
"""

from analysis.results import Run, artifacts
from analysis.results.records import EvaluateStep, Looks, RunRecord


def looks_at_test(run: Run, data: dict[str, str]) -> Looks:
    """Count the evaluations of a run and of its ancestors on the same data, including one about to be recorded.

    Parameters
    ----------
    run
        A trained run.
    data
        Data set -> fingerprint of the evaluated data. Evaluations on other data, such as a data set before it was
        ingested again, used another test split and do not count.

    Returns
    -------
    Looks
    """
    evaluations: dict[str, dict[str, int]] = {name: {} for name in data}
    uncounted: set[str] = set()
    gone: set[str] = set()
    waiting, seen = [run], {run.name}
    while waiting:
        one = waiting.pop()
        record = _record(one)
        if record is None:
            gone.add(one.name)
            continue
        _count(one.name, record.steps.evaluate, data, evaluations, uncounted)
        for name in _parents(record):
            if name not in seen:
                seen.add(name)
                waiting.append(Run.open(name))
    gone -= {name for counts in evaluations.values() for name in counts}  # their descendants record them
    for counts in evaluations.values():
        counts[run.name] = counts.get(run.name, 0) + 1
    return Looks(evaluations=evaluations, uncounted=sorted(uncounted), gone=sorted(gone))


def _record(run: Run) -> RunRecord | None:
    return artifacts.RUN.read(run.folder) if (run.folder / artifacts.RUN.path).exists() else None


def _parents(record: RunRecord) -> list[str]:
    train = record.steps.train
    return [*train.start, *train.teachers] if train else []


def _count(
    name: str,
    step: EvaluateStep | None,
    data: dict[str, str],
    evaluations: dict[str, dict[str, int]],
    uncounted: set[str],
) -> None:
    """Add the counts in one run's last evaluation: its own, and those of runs that may be gone."""
    if step is None:
        return
    for source in (source for source, fingerprint in step.data.items() if data.get(source) == fingerprint):
        known = step.looks.evaluations.get(source, {}) if step.looks else {name: 1}
        for run, times in known.items():
            evaluations[source][run] = max(times, evaluations[source].get(run, 0))
    if step.looks is None:
        uncounted.add(name)
    else:
        uncounted.update(step.looks.uncounted)
