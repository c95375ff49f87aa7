"""Averages of groups of faces that filters name: as published, from the data set if it is here, or estimated.

What a run publishes of one label and one attribute is exact. Any other group is estimated from averages of small groups
of people; see `analysis.averages.aggregates`.
"""

import re
from typing import Any

import numpy as np

from analysis.averages.base import Average, Difference, check_size, difference
from analysis.averages.filters import select
from analysis.averages.source import LiveSubsets, PublishedSubsets
from analysis.core.errors import UserError
from analysis.core.people import AGE_BANDS
from analysis.core.schema import LABELS
from dashboard.pages.everyone import Everyone

_NAMES_DATA = re.compile(r"\bdataset\b")


class Groups:
    """Averages of any two groups.

    Parameters
    ----------
    source
        Averages of the data set that was studied.
    found
        All faces of the run; None where it has no row for each.
    """

    def __init__(self, source: LiveSubsets | PublishedSubsets, found: Everyone | None) -> None:
        self._source, self._found = source, found

    def rows(self, filter_: str) -> np.ndarray:
        """Which faces a filter means, bool (face,): those of the data set that was studied unless it names one.

        Raises
        ------
        UserError
            If the filter is malformed, or the run has no row for each face.
        """
        if self._found is None:
            raise UserError("this run has no row for each image: run `meanface study` again and publish it")
        chosen = select(self._found.table, filter_)
        return chosen if _NAMES_DATA.search(filter_) else chosen & self._found.of_studied

    def is_filter(self, text: str) -> bool:
        """Whether a filter selects faces; of a data set that is here, the comparison says."""
        if isinstance(self._source, LiveSubsets) or self._is_exact(text):
            return True
        try:
            self.rows(text)
        except UserError:
            return False
        return True

    def compare(self, first: str, second: str) -> tuple[Difference, str]:
        """Compare the groups of two filters.

        Returns
        -------
        difference : Difference
            First minus second.
        how : str
            What of it is estimated, in a sentence; empty where nothing is.

        Raises
        ------
        UserError
            If a filter is malformed, or a group has fewer than 16 faces.
        """
        filters = {"first": first, "second": second}
        if self._found is None or all(map(self._is_exact, filters.values())):
            return self._source.compare(first, second), ""
        chosen = {which: self.rows(each) for which, each in filters.items()}
        averages = {which: self._average(which, each, chosen[which]) for which, each in filters.items()}
        shared = int((chosen["first"] & chosen["second"]).sum())
        estimated = [which for which, each in filters.items() if not self._is_exact(each)]
        how = self._how({which: chosen[which] for which in estimated})
        return difference(averages["first"], averages["second"], shared), how

    def choices(self) -> list[dict[str, Any]]:
        """List what each data set can be filtered by, the one that was studied first; empty where nothing is known."""
        if self._found is None:
            return []
        found, of = self._found, self._found.table["dataset"].astype(str).to_numpy()
        names = sorted(found.known("dataset"), key=lambda name: name != found.studied)
        known = found.has | found.lacks
        choices = []
        for name in names:
            own = found.table[of == name]
            values = {
                column: {str(value) for value in own[column].dropna().unique()} if column in own else set()
                for column in ("label", "age_band", "race")
            }
            attributes = known[of == name].any(axis=0)
            choices.append(
                {
                    "name": name,
                    "label": [each for each in LABELS if each in values["label"]],
                    "age_band": [each for each in AGE_BANDS if each in values["age_band"]],
                    "race": [each for each in found.known("race") if each in values["race"]],
                    "attribute": [each for each, has in zip(found.attributes, attributes, strict=True) if has],
                }
            )
        return choices

    def _is_exact(self, filter_: str) -> bool:
        """Whether the source has the average: it is published, or of columns of the data set that is here."""
        if isinstance(self._source, PublishedSubsets):
            return filter_ in self._source.subsets["filter"].values
        if _NAMES_DATA.search(filter_):
            return False
        try:
            select(self._source.table, filter_)
        except UserError:
            return False
        return True

    def _average(self, which: str, filter_: str, chosen: np.ndarray) -> Average:
        if self._is_exact(filter_):
            return self._source.compare(filter_, filter_).first
        assert self._found is not None
        check_size(int(chosen.sum()), f"the {which} group")
        return Average(self._found.aggregates.average(chosen), self._spread(chosen), int(chosen.sum()))

    def _spread(self, chosen: np.ndarray) -> np.ndarray:
        """Standard deviation as that of faces of the same labels, which a mean of small groups does not tell."""
        assert self._found is not None
        labels = self._found.rows.loc[chosen, "label"]
        of_all = {label: self._source.compare(f"label == '{label}'", f"label == '{label}'").first for label in LABELS}
        weights = {label: float((labels == label).mean()) for label in LABELS}
        mean = sum(weights[label] * of_all[label].mean for label in LABELS)
        square = sum(
            weights[label] * (of_all[label].spread ** 2 + (of_all[label].mean - mean) ** 2) for label in LABELS
        )
        return np.sqrt(square).astype(np.float32)

    def _how(self, estimated: dict[str, np.ndarray]) -> str:
        assert self._found is not None
        if not estimated:
            return ""
        errors = [self._found.error(chosen) for chosen in estimated.values()]
        near = f", typically {' and '.join(f'{each:.1f}' for each in errors)} of 255 steps from the exact"
        who = "Both averages are" if len(estimated) > 1 else f"The {next(iter(estimated))} average is"
        return (
            f"{who} estimated from averages of small groups of people{near if np.isfinite(errors).all() else ''}; "
            "their faces are taken to vary as much as all of the same label."
        )
