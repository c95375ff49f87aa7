"""The test of the hypothesis: do the faces of women and men differ by more than chance, and by more than styling?

The unit is the person, not the photo: the photos of a person are averaged first, and labels are permuted between
people. This module runs the parts one after the other and collects their results. The parts are ``effect`` (effect
sizes, tests and intervals as matrix products), ``regions`` (parts of the face), ``confounders`` (face or styling),
``prediction`` (whether averages predict the label), ``elsewhere`` (other data sets), ``controls`` and ``verdict``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from analysis.hypothesis import confounders, controls, effect, elsewhere, prediction, verdict
from analysis.hypothesis.effect import ALPHA
from analysis.hypothesis.people import CHANNELS, People, average_by_person, read_photos
from analysis.hypothesis.regions import FACE, REGIONS, face_pixels, pools, region_map
from analysis.results import artifacts
from analysis.results.records import (
    ConfounderRecord,
    Effect,
    Histogram,
    HypothesisRecord,
    ShapeComparison,
    ShapeRecord,
    Survives,
    Verdict,
)

STATEMENT = "Men and women have gender-specific facial features that differentiate them."


@dataclass(frozen=True)
class Findings:
    """Results of the test.

    Attributes
    ----------
    record
        Content of ``hypothesis.json``: the verdict and the numbers that it is based on.
    regions
        ``region, channel, share, mean_abs_g, low, high, by_chance, max_abs_g, beyond_chance``: one row per part of the
        picture and channel ("L", "a", "b" or "all"); shares in [0, 1], effects in standard deviations.
    confounders, balance
        As in `analysis.hypothesis.confounders.Survival`.
    elsewhere
        As in `analysis.hypothesis.elsewhere.Elsewhere`.
    maps
        ``effect`` (channel, y, x), Hedges' g male minus female; ``held_equal`` (comparison, channel, half_y, half_x);
        ``elsewhere`` (dataset, channel, half_y, half_x).
    """

    record: HypothesisRecord
    regions: pd.DataFrame
    confounders: pd.DataFrame
    balance: pd.DataFrame
    elsewhere: pd.DataFrame
    maps: xr.Dataset

    def write(self, folder: Path) -> None:
        """Write the files of the test into the study folder of a run."""
        artifacts.HYPOTHESIS.write(self.record, folder)
        artifacts.REGIONS.write(self.regions, folder)
        artifacts.CONFOUNDERS.write(self.confounders, folder)
        artifacts.BALANCE.write(self.balance, folder)
        artifacts.ELSEWHERE.write(self.elsewhere, folder)
        artifacts.EFFECTS.write(self.maps, folder)


def region_table(
    people: People, test: effect.PermutationTest, *, resamples: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Mean effect of each part of the picture with its interval, and its expectation under chance.

    Parameters
    ----------
    people
        One image per person.
    test
        A test that was given `analysis.hypothesis.regions.pools`.
    resamples
        Number of bootstrap resamples of people.
    rng
        Random generator of the resamples.

    Returns
    -------
    pandas.DataFrame
        As ``Findings.regions``.
    """
    names, weights = pools(people.shape, len(CHANNELS))
    drawn = effect.draw_people(people.male, resamples, rng)
    plain, resampled = effect.bootstrap_g(people.images, people.male, drawn, weights)
    estimate, low, high = effect.basic_interval(plain, resampled)
    size = np.abs(test.g)
    pixels = people.shape[0] * people.shape[1]
    rows = []
    for i, (region, channel) in enumerate(names):
        inside = weights[:, i] > 0
        rows.append(
            {
                "region": region,
                "channel": "all" if channel is None else CHANNELS[channel],
                "share": float(inside.sum() / (pixels * (len(CHANNELS) if channel is None else 1))),
                "mean_abs_g": float(estimate[i]),
                "low": float(low[i]),
                "high": float(high[i]),
                "by_chance": float(test.null_pooled[i]),
                "max_abs_g": float(size[inside].max(initial=0)),
                "beyond_chance": float((size[inside] > test.critical).mean()) if inside.any() else 0.0,
            }
        )
    return pd.DataFrame(rows)


def _largest(test: effect.PermutationTest, shape: tuple[int, int], *, in_face: bool) -> Effect:
    """Largest effect, its place, and how often permuted labels give as large an effect anywhere in the picture.

    The largest effect within the face, too, is compared with the whole picture under permutation: stricter than needed.
    """
    parts = region_map()
    y, x = (np.arange(size) * frame // size for size, frame in zip(shape, parts.shape, strict=True))
    region = np.tile(parts[np.ix_(y, x)].reshape(-1), len(CHANNELS))
    size = np.abs(test.g)
    if in_face:
        size = np.where(region < len(FACE), size, 0)
    place = int(size.argmax())
    as_large = int(effect.as_large(test.null_maximum, size[place]))
    return Effect(
        g=float(test.g[place]),
        channel=CHANNELS[place // (len(size) // len(CHANNELS))],
        region=REGIONS[region[place]],
        p_value=(1 + as_large) / (1 + len(test.null_maximum)),
    )


def _survives(survival: confounders.Survival) -> Survives | None:
    """Share of the difference in the face that remains in the strictest comparison; None if nothing was held equal."""
    if len(survival.record.comparisons) == 1:
        return None
    strictest = survival.record.comparisons[-1]
    face = survival.regions.query("comparison == @strictest.key and region == 'face'").iloc[0]
    return Survives(
        comparison=strictest.key,
        title=strictest.title,
        p_value=strictest.p_value,
        share=float(face["survives"]),
        interval=(float(face["survives_low"]), float(face["survives_high"])),
    )


def _standard_error(first: int, second: int) -> float:
    return float(np.sqrt(1 / first + 1 / second))


def _strictest(record: ConfounderRecord) -> verdict.Size:
    last = record.comparisons[-1]
    error = float(np.sqrt(sum(1 / size for size in last.effective.values())))
    return verdict.Size(last.p_value, last.max_abs_g_face, last.critical_abs_g_face, error)


def _of_shape(shape: ShapeRecord, sound: bool) -> tuple[dict[str, bool | None], Verdict]:
    """Answers and verdict on the shape."""

    def size(comparison: ShapeComparison) -> verdict.Size:
        return verdict.Size(comparison.p_value, comparison.g, comparison.critical, comparison.standard_error)

    people, strictest = size(shape.comparisons[0]), size(shape.comparisons[-1])
    answers = verdict.criteria(
        sound=sound, size=people, strictest=strictest, accuracy=shape.accuracy, elsewhere=shape.same_elsewhere
    )
    return answers, verdict.decide(answers, people)


def examine(
    faces: xr.DataArray,
    manifest: pd.DataFrame,
    *,
    others: dict[str, tuple[xr.DataArray, pd.DataFrame]] | None = None,
    shape: ShapeRecord | None = None,
    permutations: int = 5000,
    control_permutations: int = 1000,
    splits: int = 200,
    resamples: int = 500,
    seed: int = 0,
    scratch: Path | None = None,
    progress: bool = False,
) -> Findings:
    """Run the whole test; the rule for the verdict is in `analysis.hypothesis.verdict`.

    Parameters
    ----------
    faces, manifest
        As in `analysis.hypothesis.people.average_by_person`.
    others
        Name -> faces and manifest of each data set to compare with.
    shape
        Result of the geometric test, which has a part in the verdict; None where there are no landmarks.
    permutations, control_permutations
        Number of permutations of the test, and of each control and matched comparison.
    splits
        Number of random splits within one label, from which the false-positive rate is estimated.
    resamples
        Number of bootstrap resamples of the effects by region; matched comparisons and correlations use two fifths of
        it.
    seed
        Random seed.
    scratch
        Folder for what is larger than memory; default: that of temporary files.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    Findings

    Raises
    ------
    UserError
        If the subset is empty, a label has fewer than two people or a split is missing.
    """
    rng = np.random.default_rng(seed)
    people = average_by_person(faces, manifest, rng=rng, scratch=scratch, progress=progress)
    photos = read_photos(faces, manifest, rng=rng, scratch=scratch, progress=progress)
    classifiers = prediction.fit(photos, seed=seed)
    accuracies = prediction.accuracies(classifiers, photos, rng=rng)
    _, weights = pools(people.shape, len(CHANNELS))
    test = effect.permutation_test(
        people.images,
        people.male,
        permutations=permutations,
        rng=rng,
        pools=weights,
        description="Exchanging labels" if progress else None,
    )
    regions = region_table(people, test, resamples=resamples, rng=rng)
    control_tests = controls.three_controls(people, permutations=control_permutations, rng=rng)
    false_positives = controls.false_positives(
        people, photos, splits=splits, permutations=control_permutations, rng=rng
    )
    fewer = max(2, resamples * 2 // 5)
    survival = confounders.survival(photos, permutations=control_permutations, resamples=fewer, rng=rng)
    other_photos = {
        name: read_photos(*data, rng=rng, scratch=scratch, progress=progress) for name, data in (others or {}).items()
    }
    compared = elsewhere.compare(photos, other_photos, resamples=fewer, rng=rng)
    survives = _survives(survival)
    whole = compared.table.query("kind == 'all' and channel == 'all'")
    in_face = _largest(test, people.shape, in_face=True)
    sound = verdict.is_sound(control_tests, false_positives)
    size = verdict.Size(
        in_face.p_value, in_face.g, test.critical, _standard_error(int(people.male.sum()), int((~people.male).sum()))
    )
    criteria = verdict.criteria(
        sound=sound,
        size=size,
        strictest=_strictest(survival.record) if survives else None,
        accuracy=accuracies.nearest_average,
        elsewhere=bool((whole["low"] > verdict.LEAST_CORRELATION).all()) if len(whole) else None,
    )
    shade = verdict.decide(criteria, size)
    of_shape = None if shape is None else _of_shape(shape, sound)
    picture = regions.query("region == 'whole picture'").set_index("channel")
    counts, edges = np.histogram(test.null_maximum, bins=40)
    significant = (np.abs(test.g) > test.critical).reshape(len(CHANNELS), -1)
    record = HypothesisRecord(
        statement=STATEMENT,
        verdict=of_shape[1] if of_shape else shade,
        shade=shade,
        criteria=criteria,
        shape=of_shape[1] if of_shape else None,
        shape_criteria=of_shape[0] if of_shape else None,
        p_value=test.p_value,
        alpha=ALPHA,
        permutations=permutations,
        control_permutations=control_permutations,
        resamples=resamples,
        unit="identity",
        identities={"female": int((~people.male).sum()), "male": int(people.male.sum())},
        mixed_label_identities=people.mixed,
        identities_left_out=people.left_out,
        max_abs_g=test.maximum,
        largest=_largest(test, people.shape, in_face=False),
        largest_in_face=in_face,
        critical_abs_g=test.critical,
        area_significant=float(significant.any(axis=0).mean()),
        area_counting=float(
            (np.abs(test.g) - test.critical > verdict.SMALLEST_EFFECT)[face_pixels(people.shape, len(CHANNELS))]
            .reshape(len(CHANNELS), -1)
            .any(axis=0)
            .mean()
        ),
        area_significant_by_channel=dict(zip(CHANNELS, significant.mean(axis=1).tolist(), strict=True)),
        mean_abs_g=float(picture.loc["all", "mean_abs_g"]),
        mean_abs_g_interval=(float(picture.loc["all", "low"]), float(picture.loc["all", "high"])),
        mean_abs_g_by_chance=float(picture.loc["all", "by_chance"]),
        null_max_abs_g=Histogram(bin_left=edges[:-1].tolist(), bin_right=edges[1:].tolist(), count=counts.tolist()),
        survives=survives,
        confounders=survival.record,
        controls=control_tests,
        false_positives=false_positives,
        nearest_average=accuracies.nearest_average,
        discriminant=accuracies.discriminant,
        carried_over={
            name: prediction.accuracies(classifiers, other, rng=rng)
            for name, other in other_photos.items()
            if (other.table["split"] == "test").any()
        },
    )
    half = photos.shape
    maps = xr.Dataset(
        {
            "effect": (("channel", "y", "x"), test.g.reshape(len(CHANNELS), *people.shape)),
            "held_equal": (
                ("comparison", "channel", "half_y", "half_x"),
                survival.maps.reshape(-1, len(CHANNELS), *half).astype(np.float32),
            ),
            "elsewhere": (("dataset", "channel", "half_y", "half_x"), compared.maps),
        },
        coords={
            "channel": list(CHANNELS),
            "comparison": [comparison.key for comparison in survival.record.comparisons],
            "dataset": np.array(compared.names, dtype=str),
        },
    )
    return Findings(record, regions, survival.regions, survival.balance, compared.table, maps)
