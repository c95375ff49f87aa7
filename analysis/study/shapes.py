"""The part of the study that needs landmarks: the geometric test, facial contrast and shape-free averages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from analysis.averages.shape_free import Prototypes, prototypes, shape_free
from analysis.core.errors import UserError
from analysis.data.dataset import Dataset
from analysis.hypothesis.contrast import contrast_table, measure_contrasts
from analysis.hypothesis.shape import ShapeFindings, Shapes, examine_shapes, measure_shapes
from analysis.results import artifacts
from analysis.shape.landmarks import Landmarks, read_landmarks


@dataclass(frozen=True)
class ShapeStudy:
    """What is known of the shape of a data set's faces.

    Attributes
    ----------
    findings
        From `analysis.hypothesis.shape.examine_shapes`.
    contrast
        From `analysis.hypothesis.contrast.contrast_table`, of all data sets.
    averages
        From `analysis.averages.shape_free.shape_free`; None where a label has fewer than 16 people.
    measured
        Name of a data set -> its measured faces, where it has landmarks.
    landmarks
        Name of a data set -> its landmarks, where it has them.
    prototypes
        What ``averages`` are drawn from; None where they are.
    """

    findings: ShapeFindings
    contrast: pd.DataFrame
    averages: xr.Dataset | None
    measured: dict[str, Shapes]
    landmarks: dict[str, Landmarks]
    prototypes: Prototypes | None

    def write(self, folder: Path) -> None:
        """Write the files into the study folder of a run."""
        artifacts.SHAPE.write(self.findings.record, folder)
        artifacts.SHAPE_DISTANCES.write(self.findings.distances, folder)
        artifacts.SHAPE_GROUPS.write(self.findings.groups, folder)
        artifacts.SHAPE_MAPS.write(self.findings.maps, folder)
        artifacts.CONTRAST.write(self.contrast, folder)
        if self.averages is not None:
            artifacts.SHAPE_FREE.write(self.averages, folder)


def study_shapes(
    dataset: Dataset,
    compare: Sequence[Dataset],
    aligned: xr.Dataset,
    *,
    permutations: int,
    seed: int,
    progress: bool = False,
) -> ShapeStudy | None:
    """Study the shape of a data set's faces; None where its landmarks were not found.

    Parameters
    ----------
    dataset
        The ingested data set.
    compare
        Other data sets; those without landmarks are left out.
    aligned
        Averages of the aligned faces, from `analysis.averages.exact.average_faces`.
    permutations
        Number of permutations of the geometric test; other comparisons use a fifth.
    seed
        Random seed.
    progress
        Whether to show progress bars on stderr.

    Raises
    ------
    UserError
        If landmarks are damaged or of another version of the data set, or a label has too few people.
    """
    landmarks = read_landmarks(dataset)
    if landmarks is None:
        return None
    known = {other: found for other in compare if (found := read_landmarks(other)) is not None}
    rng = np.random.default_rng(seed)
    others = {other.name: measure_shapes(other, found, rng=rng) for other, found in known.items()}
    fewer = max(100, permutations // 5)
    own = measure_shapes(dataset, landmarks, rng=rng)
    findings = examine_shapes(
        (dataset.name, own),
        others,
        permutations=permutations,
        control_permutations=fewer,
        resamples=200,
        rng=rng,
    )
    contrast = []
    for each, found in ((dataset, landmarks), *known.items()):
        table, measured = measure_contrasts(each, found, rng=rng, progress=progress)
        contrast.append(contrast_table(each.name, table, measured, permutations=fewer, resamples=200, rng=rng))
    try:
        drawn = prototypes(dataset, landmarks, progress=progress)
    except UserError:  # too few people for an average that may be published
        drawn = None
    return ShapeStudy(
        findings,
        pd.concat(contrast, ignore_index=True),
        None if drawn is None else shape_free(drawn, aligned),
        measured={dataset.name: own, **others},
        landmarks={each.name: found for each, found in ((dataset, landmarks), *known.items())},
        prototypes=drawn,
    )
