"""Pictures of a selection: the faces themselves where only this machine can see them, else averages of small groups.

A group holds 16 people or more who look alike, and its average is published; see `analysis.averages.aggregates`. Photos
of a data set are shown by a server that nobody but this machine's browsers can reach, of the data sets that are on it.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.words import percent
from analysis.data.dataset import Dataset
from analysis.figures.attributes import attribute_name
from dashboard import parts
from dashboard.pages.everyone import Everyone

ORDERS = ("first", "doubt", "sure")
"""How portraits may be put in order: as is natural to them, the least or the most certain first."""
_BY_CERTAINTY = {"Least certain first": "doubt", "Most certain first": "sure"}
_NEIGHBOURS = 6
_SHARES = 10  # attributes of a portrait
_KEPT = 4000  # small pictures, of 3 KB each


class Portraits(ABC):
    """What a gallery shows of a selection; a portrait is known by a number."""

    about: ClassVar[str]
    """What the pictures are, in a sentence."""
    orders: ClassVar[dict[str, str]]
    """Name -> order, of `ORDERS`."""

    def __init__(self, found: Everyone) -> None:
        self.found = found
        self._small: OrderedDict[int, str] = OrderedDict()
        score = found.rows["p_male"].to_numpy(float) if "p_male" in found.rows else np.full(len(found.rows), np.nan)
        self._doubt = np.where(np.isfinite(score), np.abs(score - 0.5), 1.0)  # the smaller, the less certain

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of portraits of the run."""

    @abstractmethod
    def numbers(self, chosen: np.ndarray, order: str) -> np.ndarray:
        """Numbers of the portraits of a selection, bool (face,), in one of `ORDERS`."""

    @abstractmethod
    def caption(self, number: int, chosen: np.ndarray) -> str:
        """What stands under a small picture."""

    @abstractmethod
    def one(self, number: int, chosen: np.ndarray) -> dict[str, Any]:
        """Tell of one portrait: ``title``, ``lines``, ``shares`` (name, share in it and in all) and ``near``."""

    @abstractmethod
    def _pixels(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Pictures, each uint8 (y, x, 3)."""

    def pictures(self, numbers: Sequence[int]) -> list[str]:
        """Pictures as addresses that hold them, in the order of their numbers."""
        missing = [number for number in dict.fromkeys(numbers) if number not in self._small]
        for number, pixels in zip(missing, self._pixels(missing) if missing else [], strict=True):
            self._small[number] = parts.jpeg_url(pixels)
        given = [self._small[number] for number in numbers]
        while len(self._small) > _KEPT:
            self._small.popitem(last=False)
        return given

    def tiles(self, numbers: Sequence[int], chosen: np.ndarray) -> list[dict[str, Any]]:
        """Number, picture and caption of some portraits."""
        pictures = self.pictures(numbers)
        return [
            {"number": int(number), "src": src, "caption": self.caption(number, chosen)}
            for number, src in zip(numbers, pictures, strict=True)
        ]

    def detail(self, number: int, chosen: np.ndarray) -> dict[str, Any]:
        """Tell of one portrait with its picture; ``near`` has the numbers of its neighbours."""
        return {"number": int(number), "src": self.pictures([number])[0], **self.one(number, chosen)}

    def _shares(self, rows: np.ndarray) -> list[dict[str, Any]]:
        """Attributes whose share among some faces differs most from that of all."""
        inside = np.zeros(len(self.found.rows), dtype=bool)
        inside[rows] = True
        table = self.found.shares(inside).head(_SHARES)
        return [
            {"name": attribute_name(str(name)), "own": float(row["chosen"]), "all": float(row["all"])}
            for name, row in table.iterrows()
        ]


class Groups(Portraits):
    """Averages of the published groups that selected faces belong to."""

    about = (
        "Each picture is the average of a small group of people who look alike, 16 or more, so that it is nobody’s "
        "face. A group is shown if any of its faces is selected."
    )
    orders: ClassVar[dict[str, str]] = {"Most selected first": "first", **_BY_CERTAINTY}

    def __init__(self, found: Everyone) -> None:
        super().__init__(found)
        self._group = found.rows["aggregate"].to_numpy(np.int64)
        self._sizes = np.bincount(self._group, minlength=self.count)

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.found.aggregates.coefficients)

    def numbers(self, chosen: np.ndarray, order: str) -> np.ndarray:
        """Groups of the selected faces: those most selected first, or by how certain the model is of these."""
        selected = np.bincount(self._group[chosen], minlength=self.count)
        here = np.flatnonzero(selected)
        if order == "first":
            rank = np.lexsort((-selected[here], -selected[here] / self._sizes[here]))
        else:
            doubt = np.bincount(self._group[chosen], self._doubt[chosen], self.count)[here] / selected[here]
            rank = np.argsort(doubt if order == "doubt" else -doubt, kind="stable")
        return here[rank]

    def caption(self, number: int, chosen: np.ndarray) -> str:
        """How many of its faces are selected."""
        inside = self._group == number
        selected, size = int((inside & chosen).sum()), int(inside.sum())
        return f"all {size}" if selected == size else f"{selected} of {size}"

    def one(self, number: int, chosen: np.ndarray) -> dict[str, Any]:
        """Tell of a group: size, label, answers, attributes, and the groups that look most alike."""
        rows = np.flatnonzero(self._group == number)
        table = self.found.rows.iloc[rows]
        selected = int(chosen[rows].sum())
        lines = [
            f"The average of {len(rows)} faces labelled {table['label'].iloc[0]}, of {table['dataset'].iloc[0]}; "
            f"{selected if selected < len(rows) else 'all'} of them {'is' if selected == 1 else 'are'} selected."
        ]
        scored = table["p_male"].dropna() if "p_male" in table else pd.Series(dtype=float)
        if len(scored):
            answers = table["verdict"].value_counts()
            said = ", ".join(f"{answers[each]} {each}" for each in ("right", "uncertain", "wrong") if each in answers)
            lines.append(
                f"Probability of “male”: {percent(scored.mean())} on average, {percent(scored.min())} to "
                f"{percent(scored.max())}; answers: {said}."
            )
        if "age" in table and table["age"].notna().any():
            lines.append(f"Ages {table['age'].min():.0f} to {table['age'].max():.0f}.")
        if "race" in table and table["race"].notna().any():
            races = table["race"].value_counts(normalize=True)
            lines.append(f"Annotated as {', '.join(f'{name} {percent(share)}' for name, share in races.items())}.")
        own = self.found.aggregates.coefficients
        far = np.linalg.norm(own - own[number], axis=1)
        near = np.argsort(far, kind="stable")[1 : 1 + _NEIGHBOURS]
        return {
            "title": f"Group {number + 1:,} of {self.count:,}",
            "lines": lines,
            "shares": self._shares(rows),
            "near": [int(each) for each in near],
            "nearness": "Groups whose averages look most alike",
        }

    def _pixels(self, numbers: Sequence[int]) -> list[np.ndarray]:
        averages = (self.found.aggregates.group(number) for number in numbers)
        return [(255 * average).round().clip(0, 255).astype(np.uint8) for average in averages]


class Photos(Portraits):
    """The faces themselves, of data sets on this machine."""

    about = (
        "The aligned faces themselves: this server is for this machine alone, and the data set is on it. Elsewhere the "
        "page shows averages of small groups."
    )
    orders: ClassVar[dict[str, str]] = {"As stored": "first", **_BY_CERTAINTY}

    def __init__(self, found: Everyone, places: dict[str, tuple[Dataset, np.ndarray]]) -> None:
        super().__init__(found)
        self._datasets = {name: dataset for name, (dataset, _) in places.items()}
        self._place = np.full(len(found.rows), -1)
        for name, (_, place) in places.items():
            own = (found.rows["dataset"] == name).to_numpy()
            self._place[own] = place[own]

    @property
    def count(self) -> int:
        """Number of faces, those of other data sets included."""
        return len(self.found.rows)

    def numbers(self, chosen: np.ndarray, order: str) -> np.ndarray:
        """Faces that are selected and here: as stored, or by how certain the model is."""
        here = np.flatnonzero(chosen & (self._place >= 0))
        if order == "first":
            return here
        return here[np.argsort(self._doubt[here] * (1 if order == "doubt" else -1), kind="stable")]

    def caption(self, number: int, chosen: np.ndarray) -> str:
        """Score, or the label where there is none."""
        row = self.found.rows.iloc[number]
        score = row.get("p_male")
        return str(row["label"]) if score is None or pd.isna(score) else f"{percent(score)} male"

    def one(self, number: int, chosen: np.ndarray) -> dict[str, Any]:
        """Tell of a face: label, score, what is annotated, and its neighbours on the map."""
        row = self.found.rows.iloc[number]
        lines = [f"Labelled {row['label']}; {row['split']} split of {row['dataset']}."]
        if not pd.isna(row.get("p_male")):
            verdict = "" if row["verdict"] == "uncertain" else f", which is {row['verdict']}"
            lines.append(f"Probability of “male” {percent(row['p_male'])}: {row['decision']}{verdict}.")
        known = [
            f"{name} {row[column]:.0f}" if column == "age" else f"{name} {row[column]}"
            for column, name in (("age", "age"), ("race", "race"))
            if column in row and not pd.isna(row[column])
        ]
        if known:
            lines.append(f"Annotated: {', '.join(known)}.")
        has = [
            attribute_name(name) for name, own in zip(self.found.attributes, self.found.has[number], strict=True) if own
        ]
        if has:
            lines.append(f"Attributes: {', '.join(has)}.")
        return {
            "title": str(row["image_id"]),
            "lines": lines,
            "shares": [],
            "near": self._near(number),
            "nearness": "Nearest on the map",
        }

    def _near(self, number: int) -> list[int]:
        places = self.found.places
        if places is None or not np.isfinite(places[number]).all():
            return []
        far = np.linalg.norm(places - places[number], axis=1)
        far[(self._place < 0) | ~np.isfinite(far)] = np.inf
        far[number] = np.inf
        near = np.argsort(far, kind="stable")[:_NEIGHBOURS]
        return [int(each) for each in near if np.isfinite(far[each])]

    def _pixels(self, numbers: Sequence[int]) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}
        names = self.found.rows["dataset"].to_numpy()
        for name, dataset in self._datasets.items():
            own = sorted((number for number in numbers if names[number] == name), key=lambda each: self._place[each])
            if own:
                faces = dataset.faces.isel(image=self._place[own]).to_numpy()
                found |= dict(zip(own, faces, strict=True))
        return [found[number] for number in numbers]


@lru_cache(maxsize=2)
def portraits(found: Everyone, *, private: bool) -> Portraits:
    """What a gallery may show of a run's faces, for all sessions.

    Parameters
    ----------
    found
        The faces.
    private
        Whether nobody but this machine's own browsers can see it.
    """
    places = {}
    for name in found.known("dataset") if private else ():
        try:
            dataset = Dataset.open(name)
            place = pd.Index(dataset.manifest["image_id"]).get_indexer(found.rows["image_id"])
            own = (found.rows["dataset"] == name).to_numpy()
            if (place[own] >= 0).all() and dataset.faces.sizes["image"]:
                places[name] = (dataset, np.where(own, place, -1))
        except UserError:
            continue  # it is not here, or another version of it
    return Photos(found, places) if places else Groups(found)
