"""Charts of the data study: what they say follows from the numbers, and what is unknown is told."""

import pandas as pd
import pytest
from synthetic import write_results

from analysis import figures
from analysis.core.errors import UserError
from analysis.results import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("data-figures") / "run")


def test_matrix_has_a_cell_for_every_pair_and_reading_names_the_extremes(results: Results) -> None:
    found = results.cooccurrence
    cells = figures.cooccurrence.cooccurrence_matrix(found, "metadata").dframe()
    assert len(cells) == 40 * 39
    reading = figures.cooccurrence.cooccurrence_reading(found, "metadata")
    assert "5,000 images" in reading
    plain = found[(found["scope"] == "metadata") & (found["first"] != "Male") & (found["second"] != "Male")]
    assert f"φ = +{plain['phi'].max():.2f}" in reading


def test_people_reading_adds_up(results: Results) -> None:
    found = results.identities.query("scope == 'metadata'")
    reading = figures.identities.images_per_person_reading(results.identities, "metadata")
    assert reading.startswith(f"5,000 images of {found.people.sum():,} people")
    several = found[found.images > 1]
    mixed = figures.identities.mixed_labels_reading(results.identities, "metadata")
    assert mixed.startswith(f"{several['mixed_people'].sum():,} of {several['people'].sum():,} people")
    assert f"{several['minority_images'].sum():,} of their" in mixed


def test_duplicates_reading_counts_copies_that_disagree(results: Results) -> None:
    assert figures.duplicates.repeated_pictures_reading(results.duplicates, 1000) == (
        "5 of 1,000 images duplicate an earlier one (1 byte for byte): 1 in another split, 2 with another identity, 1 "
        "with the other label."
    )
    none = results.duplicates.iloc[:0]
    assert figures.duplicates.repeated_pictures_reading(none, 1000) == "None of the 1,000 images duplicates another."
    figures.duplicates.repeated_pictures(none)


def test_suspected_labels_are_ordered_and_counted(results: Results) -> None:
    import holoviews as hv

    reading = figures.doubts.doubted_shares_reading(results.doubts, results.study.label_noise)
    assert "names 12 (7 labelled female, 5 male)" in reading
    assert "attribute “blurry”: 8.0" in reading
    names = hv.renderer("bokeh").get_plot(figures.doubts.doubted_shares(results.doubts)).state.y_range.factors
    assert names[::-1][:4] == [
        "all faces",
        "labelled female",
        "labelled male",
        "blurry",
    ]


def test_estimates_of_wrong_labels_stand_side_by_side(results: Results) -> None:
    said = figures.doubts.estimates_reading(results)
    assert "1.7 % by the simple classifier (89.4 % accurate); 2.1 % by the network" in said
    assert "by the annotators themselves" in said and "nobody looked at these photos again" in said


def test_samples_say_how_many_faces_are_in_each(results: Results) -> None:
    html = figures.samples.sample_faces(results.samples, "female").data
    assert html.count("<img") == 3
    assert "Composite of 20 faces labelled female" in html
    assert "20 to 24 people" in figures.samples.sample_faces_reading(results.samples)
    assert "too few" in figures.samples.sample_faces_reading(results.samples.isel(picture=[]))


def test_unknown_attributes_and_identities_are_told(results: Results) -> None:
    empty = pd.DataFrame(columns=results.identities.columns)
    with pytest.raises(UserError, match="identity file"):
        figures.identities.images_per_person(empty)
    with pytest.raises(UserError, match="attribute file"):
        figures.cooccurrence.cooccurrence_matrix(results.cooccurrence.iloc[:0])
    single = results.identities[results.identities["images"] == 1]
    with pytest.raises(UserError, match="two images"):
        figures.identities.mixed_labels(single.assign(scope="images"), "images")
