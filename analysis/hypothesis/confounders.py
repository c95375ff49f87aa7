"""Confounders: the difference between people who are alike in everything else that is known.

One photo of each person is drawn, since most confounders belong to a photo and not to a person. Three methods hold
confounders equal:

- *exact matching*: people are compared within cells of equal confounders, and each cell is weighted by how many people
  of both labels it has;
- *overlap weights*: a logistic regression on the confounders gives each person's propensity to be labelled male, and
  each person is weighted by the propensity of the other label, which makes the means of all confounders equal (Li,
  Morgan and Zaslavsky, "Balancing covariates via propensity score weighting", JASA 113, 2018);
- *restriction*: where one label hardly has an attribute, as men hardly wear lipstick, weights cannot help, and only
  people without it are compared.

All effects are in the same unit, the standard deviation within labels of the photos as they are, so that they can be
compared before and after.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from analysis.core.errors import UserError
from analysis.core.people import age_band, interval
from analysis.core.schema import AGE_BANDS
from analysis.hypothesis import effect
from analysis.hypothesis.matrix import Rows
from analysis.hypothesis.people import Photos
from analysis.hypothesis.regions import face_pixels, pools
from analysis.results.records import ComparisonRecord, ConfounderRecord, Overlap

EXPRESSION = ("Smiling", "Mouth_Slightly_Open")
AGE = ("Young",)
ACCESSORIES = ("Eyeglasses", "Wearing_Hat")
HAIR = (
    "Bald",
    "Bangs",
    "Receding_Hairline",
    "Straight_Hair",
    "Wavy_Hair",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Gray_Hair",
)
MAKE_UP = ("Heavy_Makeup", "Wearing_Lipstick")
BEARD = ("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns")  # No_Beard is inverted into "Beard"
FEWEST = 30  # people of each label, with and without an attribute, that are needed to hold it equal
FEWEST_LEFT = 50  # people of each label that a comparison needs


@dataclass(frozen=True)
class Comparison:
    """A comparison: the people in it and their weights.

    Attributes
    ----------
    key, title, how
        Name in tables, name for readers, and method.
    held
        Names of the covariates that are held equal.
    used
        bool (person,): who takes part.
    weights
        float64 (person,): weight of each person within the label; 0 where not used.
    strata
        int (person,): stratum within which labels are permuted.
    """

    key: str
    title: str
    how: str
    held: list[str]
    used: np.ndarray
    weights: np.ndarray
    strata: np.ndarray


def covariates(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Confounders of each photo, by kind.

    Parameters
    ----------
    table
        Rows of the manifest.

    Returns
    -------
    dict
        Kind -> columns of numbers, 0 and 1 for attributes; kinds that are unknown for a photo are left out.
    """
    attributes = table.assign(Beard=~table["No_Beard"].astype("boolean")) if "No_Beard" in table else table
    kinds = {
        "expression": EXPRESSION,
        "age": AGE,
        "accessories": ACCESSORIES,
        "hair": HAIR,
        "make-up": MAKE_UP,
        "beard": (*BEARD, "Beard"),
    }
    columns = {}
    for kind, names in kinds.items():
        known = [name for name in names if name in attributes and attributes[name].notna().all()]
        if known:
            columns[kind] = attributes[known].astype(float)
    if "age" in table and table["age"].notna().all():
        bands = age_band(table["age"])
        in_band = pd.DataFrame({f"Age {name}": (bands == name) * 1.0 for name in AGE_BANDS}, index=table.index)
        columns["age"] = in_band.loc[:, in_band.any()]
    if "race" in table and table["race"].notna().all():
        columns["race"] = pd.get_dummies(table["race"].astype(str), prefix="Race", prefix_sep=" ").astype(float)
    if "brightness" in table and table["brightness"].notna().all():
        columns["brightness"] = pd.DataFrame({"Brightness": table["brightness"].astype(float)})
    return columns


def propensity(
    columns: np.ndarray, male: np.ndarray, counts: np.ndarray | None = None, start: LogisticRegression | None = None
) -> LogisticRegression:
    """Logistic regression of the label on covariates, with so small a penalty that overlap weights balance their means.

    Parameters
    ----------
    columns
        float64 (person, covariate), standardised.
    male
        bool (person,).
    counts
        float (person,): how often each person is in a bootstrap resample; None for once each.
    start
        Fitted model whose coefficients the solver starts from.
    """
    model = LogisticRegression(C=100.0, solver="lbfgs" if start is not None else "newton-cholesky", max_iter=200)
    if start is not None:
        model.set_params(warm_start=True, tol=1e-3)
        model.coef_, model.intercept_, model.classes_ = start.coef_.copy(), start.intercept_.copy(), start.classes_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(columns, male, sample_weight=counts)


def overlap_weights(columns: np.ndarray, male: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Probability of the other label given the covariates; float64 (person,)."""
    p = propensity(columns, male, counts).predict_proba(columns)[:, 1]
    return np.where(male, 1 - p, p)


def cell_weights(cells: np.ndarray, male: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Weights of exact matching: within each label, a cell has the total weight n1 n0 / (n1 + n0).

    Parameters
    ----------
    cells
        int (person,): cell of each person, from 0.
    male
        bool (person,).
    counts
        float (..., person): how often each person is in the sample.

    Returns
    -------
    numpy.ndarray
        float64 (..., person), not yet multiplied by ``counts``; 0 in cells that lack a label.
    """
    member = np.zeros((len(cells), cells.max() + 1))
    member[np.arange(len(cells)), cells] = 1
    one, zero = (counts * male) @ member, (counts * ~male) @ member
    both = np.divide(1, one + zero, out=np.zeros_like(one), where=(one > 0) & (zero > 0))
    return np.where(male, (zero * both)[..., cells], (one * both)[..., cells])


def _cells(parts: list[pd.DataFrame], brightness: pd.Series | None) -> np.ndarray:
    columns = [part[name].to_numpy() for part in parts for name in part]
    if brightness is not None:
        columns.append(pd.qcut(brightness, 3, labels=False, duplicates="drop").to_numpy())
    _, cells = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
    return cells.reshape(-1)


def _standard(columns: pd.DataFrame) -> np.ndarray:
    values = columns.to_numpy(dtype=float)
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _tenths(columns: np.ndarray, male: np.ndarray) -> np.ndarray:
    p = propensity(columns, male).predict_proba(columns)[:, 1]
    return np.searchsorted(np.quantile(p, np.linspace(0.1, 0.9, 9)), p)


def _listed(kinds: list[str]) -> str:
    return f"{', '.join(kinds[:-1])} and {kinds[-1]}" if len(kinds) > 1 else kinds[0]


@dataclass(frozen=True)
class Setting:
    """Covariates of the people who are compared.

    Attributes
    ----------
    kinds
        From `covariates`, one row per person.
    male
        bool (person,).
    """

    kinds: dict[str, pd.DataFrame]
    male: np.ndarray

    @property
    def shared(self) -> list[str]:
        """Kinds that people of both labels have."""
        return [kind for kind in self.kinds if kind not in ("make-up", "beard")]

    @property
    def bare(self) -> np.ndarray:
        """Who has neither make-up nor a beard, bool (person,)."""
        worn = [self.kinds[kind].to_numpy() > 0 for kind in ("make-up", "beard") if kind in self.kinds]
        if not worn:
            return np.zeros(len(self.male), dtype=bool)
        return np.asarray(~np.concatenate(worn, axis=1).any(axis=1))


def comparisons(kinds: dict[str, pd.DataFrame], male: np.ndarray) -> list[Comparison]:
    """Comparisons that these covariates allow, from the least to the most strict.

    Parameters
    ----------
    kinds
        From `covariates`, one row per person.
    male
        bool (person,).

    Returns
    -------
    list of Comparison
        The first is of the photos as they are.
    """
    setting = Setting(kinds, male)
    everybody = np.ones(len(male), dtype=bool)
    one_stratum = np.zeros(len(male), dtype=int)
    made = [Comparison("all", "As photographed", "nothing", [], everybody, everybody * 1.0, one_stratum)]
    matched = [kind for kind in setting.shared if kind != "hair"]
    if matched:
        exact = [kinds[kind] for kind in matched if kind != "brightness"]
        cells = _cells(exact, kinds["brightness"]["Brightness"] if "brightness" in kinds else None)
        weights = cell_weights(cells, male, np.ones(len(male)))
        held = [name for kind in matched for name in kinds[kind]]
        if (
            min(((weights > 0) & male).sum(), ((weights > 0) & ~male).sum()) > 1
        ):  # else nobody is like one of the others
            made.append(
                Comparison("exact", f"Same {_listed(matched)}", "exact cells", held, weights > 0, weights, cells)
            )
        columns = pd.concat([kinds[kind] for kind in setting.shared], axis=1)
        title = "… and hair" if "hair" in kinds else f"Same {_listed(matched)}, by weights"
        made.append(weighted("weights", title, columns, everybody, male))
        bare = setting.bare
        if min((bare & male).sum(), (bare & ~male).sum()) >= FEWEST_LEFT:
            worn = [name for kind in ("make-up", "beard") if kind in kinds for name in kinds[kind]]
            made.append(Comparison("bare", "Bare faces only", "restriction", worn, bare, bare * 1.0, one_stratum))
            made.append(weighted("bare_weights", "Bare faces, and all of that the same", columns, bare, male, worn))
    return made


def weighted(
    key: str, title: str, columns: pd.DataFrame, used: np.ndarray, male: np.ndarray, also: list[str] | None = None
) -> Comparison:
    """Comparison by overlap weights.

    Parameters
    ----------
    key, title
        Names of the comparison.
    columns
        Covariates that are held equal, one row per person.
    used
        bool (person,): who takes part.
    male
        bool (person,).
    also
        Names of the covariates that a restriction to ``used`` holds equal.
    """
    part = _standard(columns[used])
    weights, strata = np.zeros(len(male)), np.zeros(len(male), dtype=int)
    weights[used] = overlap_weights(part, male[used])
    strata[used] = _tenths(part, male[used])
    how = "restriction and overlap weights" if also else "overlap weights"
    return Comparison(key, title, how, [*columns.columns, *(also or [])], used, weights, strata)


def refitted_weights(columns: pd.DataFrame, used: np.ndarray, male: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Weight of each person in each resample: number of draws times the overlap weight fitted to the resample.

    Parameters
    ----------
    columns, used, male
        As in `weighted`.
    drawn
        float32 (resample, person), from `analysis.hypothesis.effect.draw_people`.

    Returns
    -------
    numpy.ndarray
        float64 (resample, person).
    """
    part = _standard(columns[used])
    first = propensity(part, male[used])
    weights = np.zeros(drawn.shape)
    for i, counts in enumerate(drawn):
        p = propensity(part, male[used], counts[used], first).predict_proba(part)[:, 1]
        weights[i, used] = counts[used] * np.where(male[used], 1 - p, p)
    return weights


def _resampled_weights(
    comparison: Comparison, kinds: dict[str, pd.DataFrame], male: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """Weight of each person in each resample: number of draws of the person times the weight fitted to the resample."""
    if comparison.how in ("nothing", "restriction"):
        return drawn * comparison.weights
    if comparison.how == "exact cells":
        return drawn * cell_weights(comparison.strata, male, drawn)
    shared = pd.concat([kinds[kind] for kind in Setting(kinds, male).shared], axis=1)
    return refitted_weights(shared, comparison.used, male, drawn)


def balance(comparison: Comparison, kinds: dict[str, pd.DataFrame], male: np.ndarray) -> list[dict[str, Any]]:
    """Standardised mean difference of every covariate, male minus female, in standard deviations of all people.

    Austin, "Balance diagnostics for comparing the distribution of baseline covariates between treatment groups in
    propensity-score matched samples", Statistics in Medicine 28, 2009, calls a difference below 0.1 balanced.
    """
    rows = []
    one, zero = comparison.weights * male, comparison.weights * ~male
    for kind, columns in kinds.items():
        for name in columns:
            values = columns[name].to_numpy()
            spread = np.sqrt((values[male].var() + values[~male].var()) / 2)
            apart = values @ one / one.sum() - values @ zero / zero.sum()
            rows.append(
                {
                    "comparison": comparison.key,
                    "kind": kind,
                    "covariate": name,
                    "held": name in comparison.held,
                    "difference": float(apart / spread) if spread > 0 else 0.0,
                }
            )
    return rows


def effective(weights: np.ndarray) -> float:
    """Kish's effective sample size: the number of people with equal weights that would be as informative."""
    return float(weights.sum() ** 2 / np.maximum((weights**2).sum(), np.finfo(float).tiny))


def overlap(kinds: dict[str, pd.DataFrame], male: np.ndarray) -> list[Overlap]:
    """Share of each label with each attribute, and whether the attribute can be held equal.

    Parameters
    ----------
    kinds
        From `covariates`.
    male
        bool (person,).

    Returns
    -------
    list of Overlap
        An attribute is matchable if at least `FEWEST` people are in the smallest of the four groups.
    """
    rows = []
    for kind, columns in kinds.items():
        if kind == "brightness":
            continue
        for name in columns:
            has = columns[name].to_numpy() > 0
            fewest = min(int((has == value)[male == label].sum()) for value in (True, False) for label in (True, False))
            rows.append(
                Overlap(
                    kind=kind,
                    attribute=name,
                    female=float(has[~male].mean()),
                    male=float(has[male].mean()),
                    fewest=fewest,
                    matchable=fewest >= FEWEST,
                )
            )
    return rows


@dataclass(frozen=True)
class Survival:
    """Result of `survival`.

    Attributes
    ----------
    regions
        ``comparison, region, mean_abs_g, low, high, by_chance, survives, survives_low, survives_high``: mean of abs(g)
        over the three channels, in standard deviations within labels of the photos as they are.
    balance
        ``comparison, kind, covariate, held, difference``.
    record
        The comparisons with their people, effective sample sizes and p values, and the overlap of attributes.
    maps
        float32 (comparison, pixel): differences in the same unit, male minus female.
    """

    regions: pd.DataFrame
    balance: pd.DataFrame
    record: ConfounderRecord
    maps: np.ndarray


def survival(photos: Photos, *, permutations: int, resamples: int, rng: np.random.Generator) -> Survival:
    """Estimate how much of the difference remains in each part of the face when confounders are held equal.

    Parameters
    ----------
    photos
        Photos at half size, with the manifest's attributes.
    permutations
        Number of permutations of each comparison, within its strata.
    resamples
        Number of bootstrap resamples of people; weights are fitted to each resample.
    rng
        Random generator of photos, permutations and resamples.

    Returns
    -------
    Survival

    Raises
    ------
    UserError
        If a label has too few people.
    """
    rows = photos.one_per_person(rng)
    images, male = Rows(photos.images, rows), photos.male[rows]
    if min(male.sum(), (~male).sum()) < 2:
        raise UserError("the test needs at least two people of each label: choose a larger subset")
    kinds = covariates(photos.table.iloc[rows].reset_index(drop=True))
    names, weights = pools(photos.shape, 3)
    kept = [i for i, (_, channel) in enumerate(names) if channel is None]
    regions, weights = [names[i][0] for i in kept], weights[:, kept]
    deviation = effect.pooled_deviation(images, male)
    in_face = face_pixels(photos.shape, 3)
    drawn = effect.draw_people(male, resamples, rng)
    plain: np.ndarray | None = None
    tables, balances, records, maps = [], [], [], []
    for comparison in comparisons(kinds, male):
        row, used = effect.contrast(male, comparison.weights), Rows(images, comparison.used)
        test = effect.matched_test(
            used,
            row[comparison.used],
            comparison.strata[comparison.used],
            deviation,
            permutations=permutations,
            rng=rng,
            pools=weights,
            inside=in_face,
        )
        resampled = effect.contrast(male, _resampled_weights(comparison, kinds, male, drawn))
        _, _, means = effect.largest_effects(
            used,
            np.concatenate([row[None], resampled])[:, comparison.used],
            effect=lambda difference, part: difference / np.maximum(deviation[part], 1e-6),
            pools=weights,
        )
        estimate, low, high = effect.basic_interval(means[0], means[1:])
        plain = means if plain is None else plain
        share, share_low, share_high = _share_left(means, plain)
        tables.append(
            pd.DataFrame(
                {
                    "comparison": comparison.key,
                    "region": regions,
                    "mean_abs_g": estimate,
                    "low": low,
                    "high": high,
                    "by_chance": test.null_pooled,
                    "survives": share,
                    "survives_low": share_low,
                    "survives_high": share_high,
                }
            )
        )
        balances.extend(balance(comparison, kinds, male))
        records.append(
            ComparisonRecord(
                key=comparison.key,
                title=comparison.title,
                how=comparison.how,
                held=comparison.held,
                people={
                    "female": int((comparison.used & ~male).sum()),
                    "male": int((comparison.used & male).sum()),
                },
                effective={
                    "female": effective(comparison.weights * ~male),
                    "male": effective(comparison.weights * male),
                },
                p_value=test.p_value,
                max_abs_g_face=test.maximum,
                critical_abs_g_face=test.critical,
            )
        )
        maps.append(test.g)
    record = ConfounderRecord(
        photos=len(rows),
        permutations=permutations,
        resamples=resamples,
        comparisons=records,
        overlap=overlap(kinds, male),
        fewest=FEWEST,
    )
    columns = ["comparison", "kind", "covariate", "held", "difference"]
    balance_table = pd.DataFrame(balances, columns=columns)
    return Survival(pd.concat(tables, ignore_index=True), balance_table, record, np.stack(maps))


def _share_left(means: np.ndarray, plain: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratio to the photos as they are, bias-corrected on the log scale; both use the same resamples of people."""
    ratio = np.log(np.maximum(means, 1e-9)) - np.log(np.maximum(plain, 1e-9))
    low, high = interval(ratio[1:])
    centre = 2 * ratio[0]
    return np.exp(centre - ratio[1:].mean(axis=0)), np.exp(centre - high), np.exp(centre - low)
