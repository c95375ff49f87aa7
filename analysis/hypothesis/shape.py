"""The geometric test: do the faces of women and men differ in shape, and by more than pose, smile and styling?

The unit is the person, as in the test of shades: distances are averaged over a person's photos, and labels are permuted
between people. The largest abs(g) over all distances is what is compared, so that the probability of even one false
positive is 5 %. Where covariates are held equal, one photo of each person is drawn, since pose and smile belong to a
photo.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import gaussian_kde
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from analysis.core.people import interval
from analysis.data.dataset import Dataset
from analysis.hypothesis import confounders, effect
from analysis.hypothesis.confounders import Comparison
from analysis.hypothesis.elsewhere import FEWEST, in_groups
from analysis.hypothesis.people import check_labels, sample_photos, usable_photos
from analysis.hypothesis.prediction import measured_accuracy
from analysis.hypothesis.verdict import SMALLEST_EFFECT
from analysis.results.records import AverageAccuracy, ShapeComparison, ShapeRecord
from analysis.shape.geometry import DISTANCES, average_mesh, distances, smile, solids
from analysis.shape.landmarks import Landmarks

_FOR_AVERAGE = 4000  # meshes; the average of more is the same to a thousandth of the distance between the pupils
_AT_ONCE = 2048  # faces measured at a time
_BELL = np.linspace(-4, 4, 121)  # standard deviations


@dataclass(frozen=True)
class Shapes:
    """Measured faces, one row per photo.

    Attributes
    ----------
    table
        Rows of the manifest with ``person`` (a number) and ``kept``, as in `analysis.hypothesis.people.Photos`.
    distances
        As from `analysis.shape.geometry.distances`.
    pose, smile
        As from `analysis.shape.geometry.solids` and `smile`.
    front
        float32 (photo, 468, 2): points seen from the front, in distances between the pupils.
    missed
        Usable faces without landmarks that can be trusted.
    """

    table: pd.DataFrame
    distances: pd.DataFrame
    pose: pd.DataFrame
    smile: pd.DataFrame
    front: np.ndarray
    missed: int

    @property
    def male(self) -> np.ndarray:
        """Bool (photo,): the photo's label."""
        return (self.table["label"] == "male").to_numpy()

    def by_person(self, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average the photos of each person; people with both labels are left out.

        Parameters
        ----------
        rows
            bool (photo,): photos that take part; None for all.

        Returns
        -------
        distances : numpy.ndarray
            float32 (person, distance).
        front : numpy.ndarray
            float32 (person, 936): x and y of the points.
        male : numpy.ndarray
            bool (person,).
        """
        chosen = self.table["kept"].to_numpy() & (True if rows is None else rows)
        codes, people = pd.factorize(self.table.loc[chosen, "person"])
        count = np.bincount(codes, minlength=len(people)).astype(np.float32)[:, None]
        male = np.zeros(len(people), dtype=bool)
        male[codes] = self.male[chosen]

        def mean(values: np.ndarray) -> np.ndarray:
            total = np.zeros((len(people), values.shape[1]), dtype=np.float32)
            np.add.at(total, codes, values)
            return total / count

        front = self.front[chosen]
        return (
            mean(self.distances[chosen].to_numpy(np.float32)),
            mean(front.reshape(len(front), front.shape[1] * front.shape[2])),
            male,
        )

    def one_per_person(self, rng: np.random.Generator) -> np.ndarray:
        """Draw one photo of each person whose photos all have the same label: sorted row numbers."""
        shuffled = rng.permutation(np.flatnonzero(self.table["kept"]))
        _, first = np.unique(self.table["person"].to_numpy()[shuffled], return_index=True)
        return np.sort(shuffled[first])


@dataclass(frozen=True)
class ShapeFindings:
    """Results of `examine_shapes`.

    Attributes
    ----------
    record
        People, comparisons and the largest effects.
    distances
        ``dataset, comparison, distance, female, male, g, low, high, p_value, overlap``.
    groups
        ``dataset, kind, group, females, males, distance, g, low, high``: person averages within ages and races.
    maps
        ``shape`` (label, point, axis), ``displacement_g`` (point, axis), ``beyond_chance`` (point) and ``bell``
        (distance, label, deviation) of the data set that is studied.
    """

    record: ShapeRecord
    distances: pd.DataFrame
    groups: pd.DataFrame
    maps: xr.Dataset


def measure_shapes(dataset: Dataset, landmarks: Landmarks, *, rng: np.random.Generator) -> Shapes:
    """Measure the faces of a data set that have landmarks; of very many a sample.

    Parameters
    ----------
    dataset
        The ingested data set.
    landmarks
        Its landmarks.
    rng
        Random generator of the sample.

    Raises
    ------
    UserError
        If no face has landmarks, or the manifest is malformed.
    """
    used = usable_photos(dataset.manifest)
    trusted = landmarks.found[used["row"]]
    missed = int((~trusted).sum())
    used = sample_photos(used[trusted], rng)
    check_labels((used["label"] == "male").to_numpy())
    rows = used["row"].to_numpy()
    average = average_mesh(landmarks.read(rows[:: max(1, len(rows) // _FOR_AVERAGE)]))
    apart, turned, mouths, front = [], [], [], []
    for start in range(0, len(rows), _AT_ONCE):
        found = solids(landmarks.read(rows[start : start + _AT_ONCE]), average)
        apart.append(distances(found.points))
        turned.append(found.pose)
        mouths.append(smile(found.points))
        front.append(found.points[..., :2].copy())
    codes, _ = pd.factorize(used["person"])
    return Shapes(
        table=used.assign(person=codes).drop(columns="row").reset_index(drop=True),
        distances=pd.concat(apart, ignore_index=True),
        pose=pd.concat(turned, ignore_index=True),
        smile=pd.concat(mouths, ignore_index=True),
        front=np.concatenate(front),
        missed=missed,
    )


def shape_covariates(shapes: Shapes, rows: np.ndarray) -> dict[str, pd.DataFrame]:
    """Confounders of each photo by kind: those that are annotated, and pose and smile as measured.

    Parameters
    ----------
    shapes
        From `measure_shapes`.
    rows
        Photos, as numbers.
    """
    table = shapes.table.iloc[rows].reset_index(drop=True)
    pose = shapes.pose.iloc[rows].reset_index(drop=True)
    # Turns to either side narrow a face alike, and strong ones more than in proportion: squares are held equal, too.
    held = pd.DataFrame(
        {
            "Yaw": pose["yaw"],
            "Pitch": pose["pitch"],
            "Roll": pose["roll"],
            "Yaw squared": pose["yaw"] ** 2,
            "Pitch squared": pose["pitch"] ** 2,
        }
    )
    mouth = shapes.smile.iloc[rows].reset_index(drop=True)
    measured = pd.DataFrame({"Corners of the mouth": mouth["corners"], "Lips apart": mouth["open"]})
    kinds = confounders.covariates(table)
    expression = pd.concat([measured, *([kinds.pop("expression")] if "expression" in kinds else [])], axis=1)
    return {"pose": held, "expression": expression, **kinds}


def shape_comparisons(kinds: dict[str, pd.DataFrame], male: np.ndarray) -> list[Comparison]:
    """Comparisons of single photos that the covariates allow, from the least to the most strict."""
    setting = confounders.Setting(kinds, male)
    everybody = np.ones(len(male), dtype=bool)
    made = [
        Comparison("all", "As photographed", "nothing", [], everybody, everybody * 1.0, np.zeros(len(male), dtype=int))
    ]
    first = pd.concat([kinds["pose"], kinds["expression"]], axis=1)
    made.append(confounders.weighted("pose", "Same pose and smile", first, everybody, male))
    others = [kind for kind in setting.shared if kind not in ("pose", "expression")]
    if others:
        columns = pd.concat([kinds[kind] for kind in setting.shared], axis=1)
        listed = f"{', '.join(others[:-1])} and {others[-1]}" if len(others) > 1 else others[0]
        made.append(confounders.weighted("weights", f"… and {listed}", columns, everybody, male))
        bare = setting.bare
        if min((bare & male).sum(), (bare & ~male).sum()) >= confounders.FEWEST_LEFT:
            worn = [name for kind in ("make-up", "beard") if kind in kinds for name in kinds[kind]]
            made.append(
                confounders.weighted("bare_weights", "Bare faces, and all of that the same", columns, bare, male, worn)
            )
    return made


def _overlap(values: np.ndarray, male: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Area that the distributions of the labels share, in [0, 1], and both densities (label, deviation)."""
    mean, spread = values.mean(), values.std()
    if spread < 1e-9:
        return 1.0, np.zeros((2, len(_BELL)))
    standard = (values - mean) / spread
    bells = np.stack(
        [
            gaussian_kde(standard[who & (weights > 0)], weights=weights[who & (weights > 0)])(_BELL)
            for who in (~male, male)
        ]
    )
    return float(min(1.0, np.minimum(*bells).sum() * (_BELL[1] - _BELL[0]))), bells


def _compared(
    values: np.ndarray,
    male: np.ndarray,
    comparison: Comparison,
    columns: pd.DataFrame | None,
    deviation: np.ndarray,
    *,
    permutations: int,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, ShapeComparison]:
    """Effects of one comparison with their intervals, family-wise p values and overlaps."""
    used, weights = comparison.used, comparison.weights
    row = effect.contrast(male, weights)
    nothing = np.zeros((values.shape[1], 0), dtype=np.float32)
    test = effect.matched_test(
        values[used],
        row[used],
        comparison.strata[used],
        deviation,
        permutations=permutations,
        rng=rng,
        pools=nothing,
        inside=np.ones(values.shape[1], dtype=bool),
    )
    drawn = effect.draw_people(male, resamples, rng)
    fitted = drawn * weights if columns is None else confounders.refitted_weights(columns, used, male, drawn)
    low, high = interval(effect.weighted_effects(values, effect.contrast(male, fitted), deviation))
    one, zero = weights * male, weights * ~male
    size = np.abs(test.g)
    as_large = effect.as_large(test.null_maximum, size)
    table = pd.DataFrame(
        {
            "comparison": comparison.key,
            "distance": list(DISTANCES),
            "female": (zero @ values / zero.sum()).astype(float),
            "male": (one @ values / one.sum()).astype(float),
            "g": test.g.astype(float),
            "low": low.astype(float),
            "high": high.astype(float),
            "p_value": (1 + as_large) / (1 + permutations),
            "overlap": [_overlap(column, male, weights)[0] for column in values.T],
        }
    )
    largest = int(size.argmax())
    record = ShapeComparison(
        key=comparison.key,
        title=comparison.title,
        how=comparison.how,
        held=comparison.held,
        people={"female": int((used & ~male).sum()), "male": int((used & male).sum())},
        effective={"female": confounders.effective(zero), "male": confounders.effective(one)},
        permutations=permutations,
        p_value=test.p_value,
        largest=list(DISTANCES)[largest],
        g=float(test.g[largest]),
        critical=test.critical,
        standard_error=float(np.sqrt(1 / confounders.effective(one) + 1 / confounders.effective(zero))),
    )
    return table, record


def compare_shapes(
    shapes: Shapes, *, permutations: int, control_permutations: int, resamples: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[ShapeComparison]]:
    """Compare the labels' distances: averages of people, and single photos with covariates held equal.

    Parameters
    ----------
    shapes
        From `measure_shapes`.
    permutations, control_permutations
        Number of permutations of the averages of people, and of each comparison of single photos.
    resamples
        Number of bootstrap resamples of people.
    rng
        Random generator of photos, permutations and resamples.

    Returns
    -------
    table : pandas.DataFrame
        As ``ShapeFindings.distances`` without the data set.
    records : list of ShapeComparison
        One per comparison, averages of people first.

    Raises
    ------
    UserError
        If a label has fewer than two people.
    """
    people, _, male = shapes.by_person()
    check_labels(male)
    everybody = np.ones(len(male), dtype=bool)
    whole = Comparison(
        "people", "Averages of people", "nothing", [], everybody, everybody * 1.0, np.zeros(len(male), dtype=int)
    )
    made = [
        _compared(
            people,
            male,
            whole,
            None,
            effect.pooled_deviation(people, male),
            permutations=permutations,
            resamples=resamples,
            rng=rng,
        )
    ]
    rows = shapes.one_per_person(rng)
    single, male = shapes.distances.iloc[rows].to_numpy(np.float32), shapes.male[rows]
    deviation = effect.pooled_deviation(single, male)
    kinds = shape_covariates(shapes, rows)
    everything = pd.concat(list(kinds.values()), axis=1)
    for comparison in shape_comparisons(kinds, male):
        held = [name for name in comparison.held if name in everything]
        worn = {name for kind in ("make-up", "beard") if kind in kinds for name in kinds[kind]}
        columns = None if comparison.how == "nothing" else everything[[name for name in held if name not in worn]]
        made.append(
            _compared(
                single,
                male,
                comparison,
                columns,
                deviation,
                permutations=control_permutations,
                resamples=resamples,
                rng=rng,
            )
        )
    return pd.concat([table for table, _ in made], ignore_index=True), [record for _, record in made]


def _in_groups(shapes: Shapes, resamples: int, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Effects on person averages within each age band and race that has enough people."""
    for kind, group, rows in in_groups(shapes.table):
        if kind == "all":
            continue
        people, _, male = shapes.by_person(rows)
        if min(male.sum(), (~male).sum()) < FEWEST:
            continue
        drawn = effect.draw_people(male, resamples, rng)
        counts = np.concatenate([np.ones((1, len(male)), dtype=np.float32), drawn])
        g = effect.weighted_effects(people, effect.contrast(male, counts), effect.pooled_deviation(people, male))
        low, high = interval(g[1:])
        yield pd.DataFrame(
            {
                "kind": kind,
                "group": group,
                "females": int((~male).sum()),
                "males": int(male.sum()),
                "distance": list(DISTANCES),
                "g": g[0].astype(float),
                "low": low.astype(float),
                "high": high.astype(float),
            }
        )


def _maps(shapes: Shapes, *, permutations: int, rng: np.random.Generator) -> xr.Dataset:
    """Average shapes, the displacement of every point from one to the other, and the two bells of each distance."""
    people, front, male = shapes.by_person()
    test = effect.permutation_test(front, male, permutations=permutations, rng=rng)
    mean = np.stack([front[~male].mean(axis=0), front[male].mean(axis=0)]).reshape(2, -1, 2)
    g = test.g.reshape(-1, 2)
    bells = np.stack([_overlap(column, male, np.ones(len(male)))[1] for column in people.T])
    return xr.Dataset(
        {
            "shape": (("label", "point", "axis"), mean.astype(np.float32)),
            "displacement_g": (("point", "axis"), g.astype(np.float32)),
            "beyond_chance": (("point",), (np.abs(g) > test.critical).any(axis=1)),
            "bell": (("distance", "label", "deviation"), bells.astype(np.float32)),
        },
        coords={
            "label": ["female", "male"],
            "axis": ["x", "y"],
            "distance": list(DISTANCES),
            "deviation": _BELL.astype(np.float32),
        },
    )


def _accuracy(shapes: Shapes, rng: np.random.Generator) -> AverageAccuracy | None:
    """Accuracy of a linear discriminant of the distances, fitted on the train split; None without a test split."""
    split = shapes.table["split"].to_numpy() if "split" in shapes.table else np.full(len(shapes.table), "")
    train, test, male = split == "train", split == "test", shapes.male
    if not (test.any() and (train & male).any() and (train & ~male).any()):
        return None
    values = shapes.distances.to_numpy()
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(values[train], male[train])
    people = shapes.table.loc[test, "person"].reset_index(drop=True)
    return measured_accuracy(rule.predict(values[test]), male[test], people, rng=rng)


def examine_shapes(
    own: tuple[str, Shapes],
    others: dict[str, Shapes],
    *,
    permutations: int = 5000,
    control_permutations: int = 1000,
    resamples: int = 500,
    rng: np.random.Generator,
) -> ShapeFindings:
    """Run the geometric test on a data set, and the same comparisons on others.

    Parameters
    ----------
    own
        Name and shapes of the data set that is studied.
    others
        Name -> shapes of each data set that it is compared with.
    permutations, control_permutations
        Number of permutations of the averages of people, and of each other comparison.
    resamples
        Number of bootstrap resamples of people.
    rng
        Random generator.

    Returns
    -------
    ShapeFindings

    Raises
    ------
    UserError
        If a label has fewer than two people.
    """
    name, shapes = own
    table, records = compare_shapes(
        shapes,
        permutations=permutations,
        control_permutations=control_permutations,
        resamples=resamples,
        rng=rng,
    )
    tables, groups, elsewhere = [table.assign(dataset=name)], [], {}
    for other, measured in others.items():
        compared, elsewhere[other] = compare_shapes(
            measured,
            permutations=control_permutations,
            control_permutations=control_permutations,
            resamples=resamples,
            rng=rng,
        )
        tables.append(compared.assign(dataset=other))
    for each, measured in {name: shapes, **others}.items():
        groups += [found.assign(dataset=each) for found in _in_groups(measured, resamples, rng)]
    columns = ["dataset", "kind", "group", "females", "males", "distance", "g", "low", "high"]
    joined = pd.concat(tables, ignore_index=True)
    mine = joined.query("dataset == @name and comparison == 'people'").set_index("distance")["g"]
    agreement = {
        other: float(np.corrcoef(mine, joined.query("dataset == @other and comparison == 'people'")["g"])[0, 1])
        for other in others
    }
    largest = records[0]
    there = joined.query("comparison == 'people' and distance == @largest.largest").set_index("dataset")["g"]
    same = [
        abs(there[other]) - compared[0].critical > SMALLEST_EFFECT and there[other] * largest.g > 0
        for other, compared in elsewhere.items()
    ]
    record = ShapeRecord(
        photos=len(shapes.table),
        missed=shapes.missed,
        resamples=resamples,
        comparisons=records,
        elsewhere=elsewhere,
        agreement=agreement,
        pose={
            label: shapes.pose[(shapes.table["label"] == label).to_numpy()].mean().to_dict()
            for label in ("female", "male")
        },
        accuracy=_accuracy(shapes, rng),
        same_elsewhere=all(same) if same else None,
    )
    first = ["dataset", *[column for column in joined if column != "dataset"]]
    found = pd.concat(groups, ignore_index=True)[columns] if groups else pd.DataFrame(columns=columns)
    return ShapeFindings(record, joined[first], found, _maps(shapes, permutations=control_permutations, rng=rng))
