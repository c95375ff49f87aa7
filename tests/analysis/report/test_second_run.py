"""No page tells of a run what is true of another: every number and every claim comes from results."""

import re
from pathlib import Path

import pytest
from second_run import BACKBONE, write_second
from synthetic import write_results
from told import PAGES, sentences, told

from analysis.figures import datasheets
from analysis.results import Results

pytestmark = pytest.mark.slow

Said = dict[str, list[tuple[str, str]]]

# What is true of every run: levels of intervals, scales, names with numbers in them, what the code fixes.
TRUE_OF_ALL = [
    r"95 %",
    r"\b5 %",
    r"\b2 points of that of intact",
    r"\d+ to 1\b",
    r"255 steps",
    r"of 39 attributes",
    r"those of 50 images or more",
    r"39 other attributes",
    r"[(](0|1) to (255|100)",
    r"grey levels",
    r"guessing gives 50 %",
    r"recall of 50 %",
    r"50 % when both labels",
    r"1[.]96 standard",
    r"hist(ogram|ograms) overlap",
    r"one case of twenty",
    r"At least 75 % of predictions",
    r"\b80 x 80 pixels",
    r"ages? 10",
    r"near 0 or 100 %",
    r"between 20 % and 80 %",
]
# What these two have alike, since one is made from the other: numbers of rows, ratios of counts, places.
TRUE_OF_BOTH = [
    r"after epoch 11 of 12",
    r"^6 composites",
    r"^89 pixels",
    r"Mean sharpness is",
    r"^0 people whose photos",
    r"^3 comparisons without",
    r"^7 parts of the face",
    r"^9 of 9 parts",
    r"largest difference is 0[.]01",
    r"more frequent label is right for 60[.]0",
    r"by these, 1 is below",
    r"half of the attribution",
    r"in which they differ most hold",
    r"rank correlation",
    r"of the other 86",
    r"0[.]75 times as long",
    r"counting faces aged 10 to 80",
    r"^\[?(Hypothesis|Metrics)",
]
TYPED = [
    r"95 %",
    r"\b5 %",
    r"localhost:5006",
    r"/api/v1/",
    r"0 to 1\b",
    r"\b(200|4xx)\b",
    r"rfc9457",
    r"FAT\W+2019",
    r"Communications of the ACM 2021",
    r"Python 3[.]11",
    r"\(\d{4}, \d{4}\)",
    r"near 0 or 100 %",
    r"^(### )?\d+[.]$",
    r"averages?(?: of)? 16",
    r"`face` 0",
    r"p[.]\w+",
    r"NNNN",
    r"\bF1\b",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Results]:
    folder = tmp_path_factory.mktemp("runs")
    return write_results(folder / "first"), write_second(folder / "second", folder / "scratch")


@pytest.fixture(scope="module")
def said(runs: tuple[Results, Results]) -> tuple[Said, Said]:
    with pytest.MonkeyPatch.context() as patch:
        first, second = ({page: told(page, run.folder, patch) for page in PAGES} for run in runs)
        return first, second


def whole(said: Said) -> str:
    return " ".join(text for parts in said.values() for _, text in parts)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in {"api", "glossary", "reproduce"}])
def test_numbers_of_a_page_are_those_of_the_run(page: str, said: tuple[Said, Said]) -> None:
    first, second = ({s for kind, text in one[page] if kind == "cell" for s in sentences(text)} for one in said)
    same = {sentence for sentence in first & second if re.search(r"\d", sentence) and len(sentence) > 8}
    assert [
        sentence
        for sentence in sorted(same)
        if not any(re.search(true, sentence) for true in TRUE_OF_ALL + TRUE_OF_BOTH)
    ] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in {"glossary", "reproduce"}])
def test_no_number_is_typed_into_a_page(page: str, said: tuple[Said, Said]) -> None:
    typed = [s for kind, text in said[0][page] if kind == "prose" for s in sentences(text) if re.search(r"\d", s)]
    assert [sentence for sentence in typed if not any(re.search(true, sentence) for true in TYPED)] == []


def test_names_of_one_run_are_not_on_the_pages_of_another(said: tuple[Said, Said]) -> None:
    for page, parts in said[1].items():
        text = " ".join(
            text for kind, text in parts if kind == "cell" or page != "reproduce"
        )  # its commands are examples
        assert not re.search(
            r"\b(synthetic|celeba|utkface|more-faces|MobileFaceNet|MS-Celeb)\b", text, re.IGNORECASE
        ), page


CLAIMS = [  # true of the first run alone, true of the second alone
    ("started from random weights", "go back to a network of others"),
    ("begun with random weights", "begun with the weights of an earlier run, “former”"),
    (
        "Its training used the train splits only.",
        "the network of others that it goes back to had been trained on other photos",
    ),
    ("test photos (photos of unseen people)", "test photos (photos that were kept out of training)"),
    ("No person and no picture of synthetic is in two splits", "portraits may show somebody in two splits"),
    ("wrong about some groups more often", None),
    ("it is not equally accurate", None),
    ("It can be made again from raw data", "It cannot be made again from raw data"),
    ("Yes, on average, and beyond chance", "No difference that would count was found"),
    ("The average faces of women and men differ (", "The average faces of women and men do not differ ("),
    ("of one face poorly", "of one face no better than always giving one answer does"),
    ("Find the same 468 points", None),
    ("unpromising trials were stopped early", None),
    (None, "Nothing is known of the evaluations of lost"),
    (None, "Who is in them, who labelled them and whether anybody agreed is not documented there"),
]


@pytest.mark.parametrize(("of_first", "of_second"), CLAIMS)
def test_claims_follow_the_run(of_first: str | None, of_second: str | None, said: tuple[Said, Said]) -> None:
    first, second = (whole(one).lower() for one in said)
    for claim, its, others in ((of_first, first, second), (of_second, second, first)):
        if claim is not None:
            assert claim.lower() in its and claim.lower() not in others


def test_network_of_others_is_named_with_licence_and_data_where_weights_are_described(said: tuple[Said, Said]) -> None:
    for page in ("training", "model-card", "metrics", "summary"):
        text = whole({page: said[1][page]})
        assert BACKBONE["trained_on"] in text, page
        if page != "metrics":
            assert BACKBONE["package"] in text and BACKBONE["licence"] in text, page
    assert "unseen people" not in whole(said[1])


def test_people_are_unseen_only_as_far_as_is_known(runs: tuple[Results, Results]) -> None:
    from analysis.figures import lineage

    first = runs[0]
    assert lineage.unseen(first) == "photos of unseen people"
    trained = first.run.steps.train
    assert trained is not None
    fetched = trained.changed(backbones=[BACKBONE])
    steps = first.run.steps.changed(train=fetched)

    class Changed:
        study, run = first.study, first.run.changed(steps=steps)

    assert lineage.unseen(Changed) == "photos of people who were kept out of training here"  # type: ignore[arg-type]


def test_looks_at_test_splits_are_counted(runs: tuple[Results, Results]) -> None:
    from analysis.figures import lineage

    evaluated = runs[0].run.steps.evaluate
    assert evaluated is not None and evaluated.looks is not None
    assert "at least 3 times by this run and those" in lineage.looks_in_brief(evaluated)
    once = evaluated.changed(looks={"evaluations": {"synthetic": {"synthetic": 1}}})
    assert "looked at once by this run;" in lineage.looks_in_brief(once)
    assert "not recorded" in lineage.looks_in_brief(evaluated.changed(looks=None))


def test_parts_of_a_training_are_those_that_were_on(runs: tuple[Results, Results]) -> None:
    from analysis.figures import lineage

    trained = runs[0].run.steps.train
    assert trained is not None
    assert lineage.training_parts(trained) == ""
    options = {"auxiliary": 0.5, "average": 0.9, "balance": 0.5, "augmentation": {"blur": 0.1}, "teachers": ["older"]}
    said = lineage.training_parts(trained.changed(architecture={"attributes": 39, "ages": 0, "races": 5}, **options))
    assert "learns attributes and races" in said
    for part in ("augmented again", "Rare groups", "running mean", "probabilities of earlier runs"):
        assert part in said


def test_search_and_ablation_say_what_they_were_made_with(runs: tuple[Results, Results]) -> None:
    from analysis.figures import lineage

    trained, budget = runs[0].run.steps.train, runs[0].ablation_budget
    assert trained is not None
    own = trained.changed(datasets=budget.datasets, start=[], backbones=[])
    alike = lineage.tried_on("ablation", budget, own, parameters=(700_000, 690_000))
    assert "a network of 700,000 parameters begins with random weights and sees 800 faces" in alike
    assert alike.endswith("The published network is like it, but learned from all training faces.")
    begun = own.changed(start=["before"], backbones=[BACKBONE], datasets=["third"])
    said = lineage.tried_on("ablation", budget, begun, parameters=(700_000, 3_000_000))
    for part in ("began with the weights of “before”", "has 3,000,000 parameters", "all training faces of third"):
        assert part in said
    assert said.endswith("what is found here need not hold for it.")
    assert "short" not in lineage.tried_on("ablation", budget, own, short=False)
    moved = lineage.tried_on("search", budget.changed(data={"synthetic": "x"}), own.changed(data={"synthetic": "y"}))
    assert "learned from another state of these data sets" in moved


def test_what_was_tried_beside_a_run_is_called_short_only_if_it_is(runs: tuple[Results, Results]) -> None:
    from analysis.figures import lineage

    first, second = runs
    trained = first.run.steps.train
    assert trained is not None and lineage.tried_reading(second) == ""
    said = lineage.tried_reading(first, "training.qmd")
    assert "[an ablation](training.qmd#what-each-part-is-worth)" in said and "[a search for settings]" in said
    # An epoch has the train split, not all images of a data set.
    seen = trained.epochs * sum(first.metrics.sources[name]["train"].images for name in trained.datasets)
    for faces, short in ((seen - 1, True), (seen, False)):
        assert lineage.is_short(first.ablation_budget.changed(epochs=1, faces=faces), first) is short


def test_what_a_run_lacks_has_no_heading_number_or_caption(said: tuple[Said, Said]) -> None:
    first, second = (whole({page: one[page] for page in ("metrics", "training", "model-card")}) for one in said)
    for part in ("Would more faces help?", "against the number of training faces", "every variant and its change",
                 "every trial of the search", "trainings of networks"):  # fmt: skip
        assert part in first and part not in second
    assert "Not part of this run" not in first + second


def test_data_sets_that_nobody_described_are_said_to_be_unknown(runs: tuple[Results, Results]) -> None:
    assert "ask who collected it" in datasheets.section(runs[1], "portraits")
    assert "the terms of portraits and street are not known here" in datasheets.terms_reading(
        ["portraits", "street"], runs[1].run.steps.train
    )


@pytest.mark.parametrize("name", datasheets.KNOWN)
def test_datasheets_tell_of_consent_and_annotators(name: str, runs: tuple[Results, Results]) -> None:
    answers = datasheets.KNOWN[name].answers
    assert len(answers) == 7 and all(answer.endswith(".") for answer in answers.values())
    assert {"Did the people agree?", "Who said what the labels say?"} <= set(answers)
    assert datasheets.described(name).startswith(datasheets.KNOWN[name].title)


def test_sample_of_celeba_is_told_by_numbers_and_size(runs: tuple[Results, Results], tmp_path: Path) -> None:
    first = runs[0]
    predictions = first.predictions.query("dataset == 'synthetic'").assign(dataset="celeba")

    class Celeba:
        study = first.study.changed(dataset="celeba", metadata_images=202599)
        quality = first.quality

    Celeba.predictions = predictions  # type: ignore[attr-defined]
    said = datasheets.sample_reading(Celeba)  # type: ignore[arg-type]
    assert said.startswith("Of CelebA’s 202,599 photos, 1,006 were read (0.5 %).")
    assert "the splits are not CelebA’s own. They are at half size, 89 pixels wide." in said
    numbered = {"train": 1, "validation": 162771, "test": 182638}
    Celeba.predictions = predictions.assign(  # type: ignore[attr-defined]
        image_id=[f"{numbered[split]:06d}.jpg" for split in predictions["split"]]
    )
    assert "in CelebA’s own splits" in datasheets.sample_reading(Celeba)  # type: ignore[arg-type]
