"""Every face of a run as one table of columns, and what is shown of a selection of them.

Read once for all sessions. A selection is a bool for each row; what follows from it is computed here, without Panel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.averages.accuracy import ExpectedError
from analysis.averages.aggregates import Aggregates
from analysis.averages.base import Engine
from analysis.averages.filters import check_subset, selectable
from analysis.averages.shape_aggregates import ShapeAggregates
from analysis.averages.source import LiveSubsets, predictions_of, subset_source
from analysis.core.errors import UserError
from analysis.core.people import age_band
from analysis.core.schema import CELEBA_ATTRIBUTES, MIN_FACES
from analysis.data.dataset import Dataset
from analysis.hypothesis.effect import hedges_g
from analysis.results import Results, artifacts
from dashboard.pages.measures import SCALES, Measure, distance_scale

SCORED = ("female", "uncertain", "male")
VERDICTS = ("right", "uncertain", "wrong")


@dataclass(frozen=True, eq=False)
class Everyone:
    """All faces of a run.

    Attributes
    ----------
    rows
        One row per face: ``faces.parquet`` with ``p_male``, ``decision`` and ``verdict`` ("right", "uncertain" or
        "wrong") where a face is scored.
    places
        float32 (face, 2): the map; None where the run has none.
    measures
        Column -> its measure.
    distances
        Names of the distances among ``measures``.
    attributes
        Names of the attributes that are known of some faces.
    has, lacks
        bool (face, attribute): whether it is known that a face has it, or lacks it.
    aggregates, error
        Averages of small groups, and how far that of a selection is expected to be from the exact one, in grey levels.
    shapes
        The same for shape and texture; None where the run has neither.
    points_error, texture_error
        How far shape and texture are expected to be from the exact ones, in pixels of the frame and in grey levels.
    studied
        Name of the data set that the study is of.
    live
        Average of a selection of its faces by the engine, where the data set is here.
    """

    rows: pd.DataFrame
    places: np.ndarray | None
    measures: dict[str, Measure]
    distances: list[str]
    attributes: list[str]
    has: np.ndarray
    lacks: np.ndarray
    aggregates: Aggregates
    error: ExpectedError
    shapes: ShapeAggregates | None
    points_error: ExpectedError | None
    texture_error: ExpectedError | None
    studied: str
    live: Callable[[np.ndarray], np.ndarray] | None

    @cached_property
    def table(self) -> pd.DataFrame:
        """`rows` as filters see them, with the band of each age."""
        rows = self.rows
        return selectable(rows.assign(age_band=age_band(rows["age"])) if "age" in rows else rows)

    @cached_property
    def of_studied(self) -> np.ndarray:
        """Which faces are of the data set that was studied, bool (face,)."""
        return (self.rows["dataset"] == self.studied).to_numpy(dtype=bool)

    def known(self, column: str) -> list[str]:
        """Values of a column that occur, the most frequent first."""
        return [str(value) for value in self.rows[column].value_counts().index] if column in self.rows else []

    def average(self, chosen: np.ndarray) -> tuple[np.ndarray, bool]:
        """Average face of a selection, and whether it is of the faces themselves.

        Parameters
        ----------
        chosen
            bool (face,).

        Returns
        -------
        average : numpy.ndarray
            float32 (y, x, 3) in [0, 1].
        exact : bool
            Whether the engine of a data set on this machine was asked, not the groups that are published.

        Raises
        ------
        UserError
            If there are fewer than 16 faces, or the faces themselves are of fewer than 16 people.
        """
        if self.live is not None and chosen.sum() >= MIN_FACES and not (chosen & ~self.of_studied).any():
            return self.live(chosen), True
        return self.aggregates.average(chosen), False

    def shares(self, chosen: np.ndarray) -> pd.DataFrame:
        """Share of each attribute among the chosen faces and among the others of which it is known.

        Returns
        -------
        pandas.DataFrame
            ``chosen`` and ``all`` in [0, 1] and ``known``, by attribute, the largest difference first.
        """
        has, lacks = self.has[chosen].sum(axis=0), self.lacks[chosen].sum(axis=0)
        of_all = self.has.sum(axis=0) / (self.has | self.lacks).sum(axis=0)
        table = pd.DataFrame(
            {"chosen": has / np.maximum(has + lacks, 1), "all": of_all, "known": has + lacks},
            index=self.attributes,
        )
        table = table[table["known"] > 0]
        return table.loc[(table["chosen"] - table["all"]).abs().sort_values(ascending=False, kind="stable").index]


def distance_effects(distances: dict[str, np.ndarray], first: np.ndarray, second: np.ndarray) -> list[dict[str, Any]]:
    """Hedges' g of each distance of the face between two selections, the largest first.

    Parameters
    ----------
    distances
        Name -> float (face,); NaN where it is not known.
    first, second
        bool (face,).

    Returns
    -------
    list of dict
        ``name``, ``g``, ``low`` and ``high`` (95 %, each image by itself), first minus second; a distance that fewer
        than 16 faces of either have is left out.
    """
    found = []
    for name, values in distances.items():
        a, b = (values[each & np.isfinite(values)] for each in (first, second))
        if min(len(a), len(b)) < MIN_FACES or np.ptp(both := np.concatenate([a, b])) == 0:
            continue
        g = float(hedges_g(both[:, None], (np.arange(len(both)) < len(a))[None])[0, 0])
        error = 1.96 * np.sqrt(1 / len(a) + 1 / len(b) + g**2 / (2 * (len(a) + len(b))))
        found.append({"name": name, "g": g, "low": float(g - error), "high": float(g + error)})
    return sorted(found, key=lambda each: -abs(each["g"]))


def inside_area(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Whether each place is inside a polygon (even-odd rule).

    Parameters
    ----------
    places
        float (place, 2).
    corners
        float (corner, 2), in order; three or more.

    Returns
    -------
    numpy.ndarray
        bool (place,).
    """
    inside = np.zeros(len(places), dtype=bool)
    near = np.flatnonzero(((places >= corners.min(axis=0)) & (places <= corners.max(axis=0))).all(axis=1))
    x, y = places[near].astype(np.float64).T
    crossed = np.zeros(len(near), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            crossed ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    inside[near] = crossed
    return inside


@lru_cache(maxsize=1)
def everyone(results: Results) -> Everyone:
    """Read all faces of a run, once for all sessions: like `Results`, as they were when they were read.

    Raises
    ------
    UserError
        If the run has no rows of single images.
    """
    if not results.has_faces:
        raise UserError(
            "this run has no row for each image yet: run `meanface study` again, then `meanface evaluate` for the map, "
            "and publish it"
        )
    rows, scored = results.faces, predictions_of(results)
    if scored is not None:
        scored = scored.rename(columns={"split": "scored_in"})
        kept = [
            "dataset",
            "image_id",
            "scored_in",
            "p_male",
            "decision",
            *(c for c in ("map_x", "map_y") if c in scored),
        ]
        rows = rows.merge(scored[kept], on=["dataset", "image_id"], how="left")
        # Where several data sets share a person, the model's splits are not those of each data set.
        rows["split"] = rows.pop("scored_in").fillna(rows["split"])
        rows["verdict"] = np.select(
            [rows["decision"].isna(), rows["decision"] == "uncertain", rows["decision"] == rows["label"]],
            ["", "uncertain", "right"],
            "wrong",
        )
        rows["verdict"] = rows["verdict"].where(rows["verdict"] != "")
    places = None
    if "map_x" in rows:
        places = rows[["map_x", "map_y"]].to_numpy(np.float32)
        rows = rows.drop(columns=["map_x", "map_y"])
    distances = [name for name in rows if name not in {column.name for column in artifacts.FACES.columns}]
    distances = [name for name in distances if name not in ("p_male", "decision", "verdict")]
    measures = {}
    for column in (*SCALES, *distances):
        if column in rows and rows[column].notna().any():
            values = rows[column].astype("Float64").to_numpy(float, na_value=np.nan)
            if column == "sharpness":
                values = np.log10(np.maximum(values, 1))
            measures[column] = Measure.of(SCALES.get(column) or distance_scale(column), values)
    attributes = [name for name in CELEBA_ATTRIBUTES if name in rows and rows[name].notna().any()]
    known = np.stack(
        [rows[name].astype("Float32").to_numpy(np.float32, na_value=np.nan) for name in attributes]
        or [np.zeros(len(rows), np.float32)],
        axis=1,
    )[:, : len(attributes)]
    frame = results.study.frame
    dataset, group = rows["dataset"].to_numpy(), rows["aggregate"].to_numpy(np.int64)
    shapes = points_error = texture_error = None
    if results.has_face_shapes:
        shapes = ShapeAggregates(results.aggregate_shapes, rows)
        counted = shapes.known(np.ones(len(rows), dtype=bool))
        points_error, texture_error = (
            ExpectedError(results.aggregate_shape_errors, column, dataset, shapes.pool, counted)
            for column in ("points", "texture")
        )
    return Everyone(
        rows=rows,
        places=places,
        measures=measures,
        distances=[name for name in distances if name in measures],
        attributes=attributes,
        has=known == 1,
        lacks=known == 0,
        aggregates=Aggregates(results.aggregates, rows, (frame.height, frame.width)),
        error=ExpectedError(results.aggregate_errors, "error", dataset, group, np.ones(len(rows), dtype=bool)),
        shapes=shapes,
        points_error=points_error,
        texture_error=texture_error,
        studied=results.study.dataset,
        live=_live(results, rows),
    )


def _live(results: Results, rows: pd.DataFrame) -> Callable[[np.ndarray], np.ndarray] | None:
    """Averages by the engine of the studied data set, where it is here."""
    try:
        source = subset_source(results)
    except UserError:
        return None
    if not isinstance(source, LiveSubsets):
        return None
    name = results.study.dataset
    manifest = Dataset.open(name).manifest
    places = pd.Index(manifest["image_id"]).get_indexer(rows["image_id"])
    own = (rows["dataset"] == name).to_numpy()
    if (places[own] < 0).any():
        return None  # the data set that is here is another version
    engine: Engine = source.engine

    def average(chosen: np.ndarray) -> np.ndarray:
        asked = np.zeros(len(manifest), dtype=bool)
        asked[places[chosen]] = True
        check_subset(source.table, asked, "the selection")
        return engine.average(asked).mean

    return average
