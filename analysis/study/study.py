"""Computes the study part of a run: labels, attributes, quality, average faces and the test of the hypothesis.

`analysis.results.artifacts` describes the files that it writes.
"""

from collections.abc import Sequence

import pandas as pd

from analysis.averages.exact import average_faces
from analysis.averages.filters import load_table
from analysis.averages.fit import build_engine
from analysis.averages.gallery import build_gallery, measure_agreement
from analysis.averages.grouping import Aggregated, aggregate, has_groups
from analysis.averages.shape_grouping import AggregatedShapes, aggregate_shapes
from analysis.core import storage
from analysis.core.errors import UserError
from analysis.core.memory import give_back
from analysis.core.people import person_names
from analysis.core.schema import LABELS, MIN_FACES
from analysis.data.dataset import Dataset
from analysis.hypothesis.test import examine
from analysis.results import Run, artifacts
from analysis.results.publish import record_step
from analysis.results.records import Duplicates, Frame, StudyOptions, StudyRecord
from analysis.study.cooccurrence import cooccurrence_table
from analysis.study.label_noise import doubted_labels
from analysis.study.rows import face_rows
from analysis.study.samples import sample_grid
from analysis.study.shapes import ShapeStudy, study_shapes
from analysis.study.tables import attribute_table, duplicate_table, identity_table, label_table, quality_table


def study(
    dataset: Dataset,
    run: Run,
    *,
    compare: Sequence[Dataset] = (),
    permutations: int = 5000,
    seed: int = 0,
    progress: bool = True,
) -> StudyRecord:
    """Study an ingested data set and write the study part of a run.

    Shape is studied, too, where the data set has landmarks (`meanface landmarks`), and compared with the data sets of
    ``compare`` that have them.

    Parameters
    ----------
    dataset
        The ingested data set.
    run
        The run; its folder ``study`` is replaced.
    compare
        Other ingested data sets, whose difference maps are compared with that of this one.
    permutations
        Number of permutations of the hypothesis test.
    seed
        Random seed.
    progress
        Whether to show progress bars on stderr.

    Returns
    -------
    StudyRecord
        Content of ``study.json``.

    Raises
    ------
    UserError
        If the data set is not ingested, a label has usable images of fewer than 16 people, a test has too few people,
        or the run cannot be written to.
    """
    storage.check_writable(run.folder / "study")
    manifest, faces = dataset.manifest, dataset.faces
    usable = manifest[dataset.usable]
    for label in LABELS:
        labelled = usable[usable["label"] == label]
        if (people := person_names(labelled).nunique()) < MIN_FACES:
            raise UserError(
                f"{dataset.name!r} has usable images of {people} people labelled {label}: the average face of fewer "
                f"than {MIN_FACES} could show a person, add images of others"
            )
    if dataset in compare:
        raise UserError(f"{dataset.name!r} cannot be compared with itself: name another data set")
    others = {other.name: (other.faces, other.manifest) for other in compare}
    metadata = dataset.source.metadata
    give_back()  # what was needed to read the tables, and below what each step needed
    averages = average_faces(dataset.stored_faces, manifest["label"].where(dataset.usable), progress=progress)
    shapes = study_shapes(dataset, compare, averages, permutations=permutations, seed=seed, progress=progress)
    give_back()
    findings = examine(
        faces,
        manifest,
        others=others,
        shape=None if shapes is None else shapes.findings.record,
        permutations=permutations,
        seed=seed,
        scratch=dataset.disk_folder,
        progress=progress,
    )
    give_back()
    table = load_table(dataset)
    gallery = build_gallery(dataset, table, progress=progress)
    give_back()
    engine = build_engine(dataset, table, seed=seed, progress=progress)
    give_back()
    agreement = measure_agreement(dataset, table, engine, seed=seed, progress=progress)
    faces_of_all = _small_groups((dataset, *compare), shapes, seed, progress)
    shapes_of_all = _small_shapes((dataset, *compare), shapes, faces_of_all, seed, progress)
    give_back()
    noise, doubts = doubted_labels(faces, manifest, seed=seed, progress=progress)
    scopes = {"images": usable} | ({} if metadata is None else {"metadata": metadata})
    tables = {
        artifacts.LABELS: label_table(usable),
        artifacts.ATTRIBUTES: pd.concat([attribute_table(rows, scope) for scope, rows in scopes.items()]),
        artifacts.COOCCURRENCE: pd.concat([cooccurrence_table(rows, scope) for scope, rows in scopes.items()]),
        artifacts.IDENTITIES: pd.concat([identity_table(rows, scope) for scope, rows in scopes.items()]),
        artifacts.QUALITY: quality_table(usable),
        artifacts.DUPLICATES: duplicate_table(manifest),
        artifacts.DOUBTS: doubts,
    }
    samples = sample_grid(faces, manifest, seed=seed)
    conflicts = dataset.facts.conflicts
    known = "identity" in usable and usable["identity"].notna().any()
    summary = StudyRecord(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(usable),
        identities=int(usable["identity"].nunique()) if known else None,
        metadata_images=None if metadata is None else len(metadata),
        status={key: int((manifest["status"] == key).sum()) for key in ("ok", "broken", "no_face", "excluded")},
        aligned_by={key: int((usable["aligned_by"] == key).sum()) for key in ("landmarks", "source")},
        duplicates=Duplicates(
            exact=conflicts.exact, near=conflicts.near, across_splits=conflicts.duplicates_across_splits
        ),
        identities_across_splits=conflicts.identities_across_splits,
        label_noise=noise,
        frame=Frame(height=faces.sizes["y"], width=faces.sizes["x"]),
    )
    with storage.replacing(run.folder / "study") as folder:
        folder.mkdir()
        artifacts.STUDY.write(summary, folder)
        findings.write(folder)
        for artifact, table in tables.items():
            artifact.write(table, folder)
        artifacts.AVERAGE_FACES.write(averages, folder)
        artifacts.SAMPLES.write(samples, folder)
        artifacts.SUBSETS.write(gallery, folder)
        artifacts.ENGINES.write(agreement, folder)
        if faces_of_all is not None:
            faces_of_all.write(folder)
        if shapes_of_all is not None:
            shapes_of_all.write(folder)
        if shapes is not None:
            shapes.write(folder)
    options = StudyOptions(
        dataset=dataset.name, compare=[other.name for other in compare], permutations=permutations, seed=seed
    )
    record_step(run, options, data={used.name: used.facts.seen for used in (dataset, *compare)})
    return summary


def _small_groups(
    datasets: Sequence[Dataset], shapes: ShapeStudy | None, seed: int, progress: bool
) -> Aggregated | None:
    """A row per image and averages of small groups, of all data sets that have enough people of either label."""
    measured = {} if shapes is None else shapes.measured
    found = {} if shapes is None else {name: landmarks.found for name, landmarks in shapes.landmarks.items()}
    rows = {dataset: face_rows(dataset, measured.get(dataset.name), found.get(dataset.name)) for dataset in datasets}
    large = [dataset for dataset, table in rows.items() if has_groups(table)]
    if not large:
        return None
    return aggregate(large, [rows[dataset] for dataset in large], seed=seed, progress=progress)


def _small_shapes(
    datasets: Sequence[Dataset], shapes: ShapeStudy | None, groups: Aggregated | None, seed: int, progress: bool
) -> AggregatedShapes | None:
    """Shape and texture of the small groups, where there are landmarks and enough people."""
    if groups is None or shapes is None or shapes.prototypes is None:
        return None
    grouped = set(groups.rows["dataset"])
    return aggregate_shapes(
        [dataset for dataset in datasets if dataset.name in grouped],
        shapes.landmarks,
        groups.rows,
        groups.arrays["coefficient"].to_numpy(),
        shapes.prototypes,
        seed=seed,
        progress=progress,
    )
