"""What is known of the data sets that runs use: datasheets after Gebru et al. (2021), and the sample.

What others have published of a data set is written here once; numbers come from the run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.core.schema import LABELS, SPLITS
from analysis.core.words import listed, percent, source_name
from analysis.results import Results
from analysis.results.records import TrainStep


@dataclass(frozen=True)
class Datasheet:
    """What is known of a data set besides its numbers; Markdown."""

    title: str
    """Name, with a link to where it is published."""
    source: str
    """Publication, cited by its key in ``site/references.json``."""
    photos: str
    """What the photos are, in a few words."""
    terms: str
    """What it may be used for."""
    labelled: str
    """Who or what gave its labels, after "by"."""
    public: bool
    """Whether anyone can download it as a whole."""
    answers: dict[str, str]
    """Question -> answer, in Gebru's order, with consent and the annotators' part."""


_CONSENT, _CRITIQUE = "Did the people agree?", "Who said what the labels say?"
_WHY, _WHAT, _HOW = "Why was it made?", "What is in it?", "How was it collected?"
_USES, _CARE = "What should it be used for, and what not?", "Who looks after it?"

KNOWN = {
    "celeba": Datasheet(
        "[CelebA](https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)",
        "*Deep Learning Face Attributes in the Wild* [@liu2015]",
        "photos of celebrities",
        "non-commercial research; the copy on Kaggle says CC BY-NC-SA 4.0",
        "annotators of a labelling company",
        True,
        {
            _WHY: "To train and compare programs that name attributes of faces, at the Chinese University of Hong "
            "Kong.",
            _WHAT: "Photos of celebrities with forty binary attributes, five landmarks and a number for each person. "
            "Celebrities are younger, more often white and more often made up than people are; frontal, smiling photos "
            "prevail.",
            _HOW: "From the web, by searching for names of celebrities. The archive gives each file a number, and "
            "splits "
            "them by it.",
            _CONSENT: "Nobody is reported to have been asked, neither those who are shown nor those who took the "
            "photos; the "
            "publishers state that the pictures are not their property. Celebrities are used to be photographed; "
            "that is no "
            "agreement to be studied.",
            _CRITIQUE: "A professional labelling company, as the paper says; how many people saw a photo, who "
            "they were, what "
            "they were told and how often they disagreed is not published. The attributes are binary, also where "
            "looks are "
            "not, and some are opinions (“Attractive”, “Big nose”). Later studies had photos labelled again and "
            "found many of the attributes hard to repeat [@lingenfelter2022; @wu2023]. “Male” is a guess from a "
            "photo, whose other value was never named.",
            _USES: "Research into how such data and models behave. Not to decide anything about a person, nor to "
            "stand for "
            "people in general.",
            _CARE: "The authors, at the address above; who is shown may ask them for removal. Copies elsewhere "
            "are not updated.",
        },
    ),
    "utkface": Datasheet(
        "[UTKFace](https://susanqq.github.io/UTKFace/)",
        "*Age Progression/Regression by Conditional Adversarial Autoencoder* [@zhang2017]",
        "photos from the web without identities",
        "non-commercial research; rights of the photos remain with their owners",
        "a program whose guesses a person checked",
        True,
        {
            _WHY: "To train a program that makes faces look older or younger, at the University of Tennessee, "
            "Knoxville.",
            _WHAT: "Faces cut out of photos, aged 0 to 116 years, with age, gender and one of five races in the "
            "file’s name. "
            "Who is shown is not known, so that nobody can tell whether a person is in two splits. Babies and "
            "people in "
            "their twenties are many, the old are few.",
            _HOW: "From the web, by search; a file’s name tells when it was collected.",
            _CONSENT: "Nobody is reported to have been asked. Many of those shown are children, who could not "
            "have agreed.",
            _CRITIQUE: "A program estimated age, gender and race (DEX [@rothe2015]), and a person checked them, "
            "as the page of "
            "the data set says; how many people, and how often they corrected it, is not published. A guess that "
            "was only "
            "checked inherits the program’s view. The five races are a program’s, not anybody’s own; the label of "
            "small "
            "children says little more than how they were dressed.",
            _USES: "Research. Not to estimate anybody’s age or race, and not as a sample of any country.",
            _CARE: "The authors; they take pictures out if asked by somebody who is shown.",
        },
    ),
    "more-faces": Datasheet(
        "more-faces",
        "a collection made for this project: SCUT-FBP5500 [@liang2018], MEBeauty [@lebedeva2021], Labeled Faces in the "
        "Wild [@huang2007], IMDB-WIKI [@rothe2015], stock photos of children, portraits from the web and "
        "further CelebA "
        "photos",
        "studio portraits, press photos, stock photos of children and portraits from the web; identities of press "
        "photos and "
        "CelebA alone are known",
        "non-commercial research, each part",
        "others for each part: profiles for IMDB-WIKI, a first name or a look for press photos",
        False,
        {
            _WHY: "To show the model people who are rare in the other data sets: without make-up, of other ages "
            "and places, in "
            "other light.",
            _WHAT: "Faces with some surroundings, cut out of the parts that are named above. Near copies within "
            "it, and of "
            "photos that are kept back, were left out.",
            _HOW: "From public archives of the parts. For SCUT-FBP5500 and MEBeauty people’s portraits were "
            "gathered for "
            "studies of beauty, for Labeled Faces in the Wild photos of the news, for IMDB-WIKI pictures of two sites.",
            _CONSENT: "Not known for any part. Press photos and stock photos were published for other ends, and "
            "children cannot "
            "agree.",
            _CRITIQUE: "Each part has other annotators: for IMDB-WIKI the profile of the person who is shown, for "
            "press photos a "
            "first name or a look. Of the photos of children about one label in forty is doubtful, and some "
            "portraits are "
            "paintings, as whoever collected them notes.",
            _USES: "Training and testing of this model.",
            _CARE: "Nobody; its parts have addresses of their own.",
        },
    ),
}
PARTS = {
    "celeba": "further photos of CelebA",
    "children": "stock photos of children",
    "mebeauty": "MEBeauty: portraits, gathered for a study of beauty (Lebedeva, Guo and Ying, 2021)",
    "portraits": "portraits from the web",
    "press": "Labeled Faces in the Wild: photos of the news (Huang et al., 2007)",
    "scut": "SCUT-FBP5500: studio portraits, gathered for a study of beauty (Liang et al., ICPR 2018)",
    "wiki": "IMDB-WIKI: pictures of people with a profile there (Rothe, Timofte and Van Gool, ICCV Workshops 2015)",
}
"""Parts of the collection "more-faces", each in a line."""
_UNKNOWN = "Nothing is known here of who is in it, who labelled it and whether they agreed: ask who collected it."


def called(name: str) -> str:
    """The name of a data set as its makers write it, where it is known, else the name that it has here."""
    sheet = KNOWN.get(name)
    return re.sub(r"^\[(.+?)\].*", r"\1", sheet.title) if sheet else source_name(name)


def described(name: str) -> str:
    """A data set in a line: its name, what its photos are, and its terms; Markdown.

    Parameters
    ----------
    name
        As the run calls it.
    """
    sheet = KNOWN.get(name)
    return f"{sheet.title}: {sheet.photos}; {sheet.terms}" if sheet else "not described here"


def source_line(name: str) -> str:
    """What the photos of a source are, in a line; empty where nothing is known of it.

    Parameters
    ----------
    name
        A data set as the run calls it, alone or with a part of it or an age: "more-faces, scut".
    """
    dataset, _, part = name.partition(", ")
    sheet = KNOWN.get(dataset)
    if sheet is None:
        return ""
    if dataset == "more-faces" and part in PARTS:
        return f"{part}: {PARTS[part]}"
    return f"{name}: {sheet.photos}"


def terms_reading(names: list[str], record: TrainStep | None) -> str:
    """What data sets, and networks of others that the weights go back to, allow; Markdown.

    Parameters
    ----------
    names
        Data sets of the run.
    record
        The step "train" of ``run.json``; None if no network was trained.
    """
    told = [f"{KNOWN[name].title} is for {KNOWN[name].terms}" for name in names if name in KNOWN]
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        told.append(f"the terms of {listed(unknown)} are not known here")
    sentences = [f"{'; '.join(told)}."] if told else []
    if record is not None:
        sentences += [
            f"The weights also go back to {other.package} (licence {other.licence}), trained on {other.trained_on}."
            for other in record.backbones
        ]
    sentences.append("Weights and averages inherit these terms; the code is under the MIT licence.")
    return " ".join(sentences)


def labelled_reading(names: Sequence[str]) -> str:
    """Who or what gave the labels of data sets, as far as it is known.

    Parameters
    ----------
    names
        As the run calls them.
    """
    told = [f"of {called(name)} were given by {KNOWN[name].labelled}" for name in names if name in KNOWN]
    unknown = [name for name in names if name not in KNOWN]
    text = f"Labels {'; those '.join(told)}." if told else ""
    return f"{text} Who labelled {listed(unknown)} is not known here.".strip() if unknown else text


def needed_reading(names: Sequence[str]) -> str:
    """Which data sets it takes to make a run again, and which of them anyone can download.

    Parameters
    ----------
    names
        As the run calls them.
    """
    told = f"That needs its data {'set' if len(names) == 1 else 'sets'}, {listed(names)}"
    public, private, unknown = (
        [name for name in names if (KNOWN[name].public if name in KNOWN else None) is kind]
        for kind in (True, False, None)
    )
    if not private and not unknown:
        return f"{told}, which anyone can download."
    parts = [f"anyone can download {listed(public)}"] if public else []
    parts += (
        [f"{listed(private)} {'is' if len(private) == 1 else 'are'} published nowhere as a whole"] if private else []
    )
    parts += [f"whether {listed(unknown)} can be downloaded is not known here"] if unknown else []
    return f"{told}: {'; '.join(parts)}."


def sample_reading(results: Results) -> str:
    """Which part of the archive was studied: how many photos, of which numbers and size, in whose splits."""
    study = results.study
    read = sum(study.status.values())
    if study.dataset != "celeba" or not study.metadata_images:
        return f"Of {study.dataset}, {read:,} images were read."
    text = (
        f"Of CelebA’s {study.metadata_images:,} photos, {read:,} were read ({percent(read / study.metadata_images)})."
    )
    own = results.predictions[results.predictions["dataset"] == study.dataset]
    numbers = pd.to_numeric(own["image_id"].str.extract(r"^(\d+)\.")[0], errors="coerce")
    if numbers.notna().all() and len(numbers):
        text += f" Their file numbers are between {int(numbers.min()):,} and {int(numbers.max()):,}"
        # CelebA splits by number: these are the last ones of its train and validation splits.
        bounds = {"train": (1, 162770), "validation": (162771, 182637), "test": (182638, 202599)}
        theirs = all(numbers[own["split"] == split].between(*bounds[split]).all() for split in SPLITS)
        text += ", in CelebA’s own splits." if theirs else "; the splits are not CelebA’s own."
    widths = results.quality.query("measure == 'width'")
    typical = (widths["bin_left"] + widths["bin_right"])[widths["images"].idxmax()] / 2
    if round(typical) != _CELEBA_WIDTH:
        scale = typical / _CELEBA_WIDTH
        size = "half size" if abs(scale - 0.5) < 0.01 else f"{percent(scale, 0)} of their size"
        text += f" They are at {size}, {typical:.0f} pixels wide."
    return f"{text} What is found holds for these; the rest may differ."


_CELEBA_WIDTH = 178  # pixels of an aligned photo of the archive


def _counts(results: Results, name: str) -> str:
    """Images of each label in each split of a data set that the model scored, as a table; empty if it was not."""
    own = results.predictions[results.predictions["dataset"] == name]
    if own.empty:
        return ""
    counts = own.groupby(["split", "label"], observed=True).size().unstack("label", fill_value=0)
    counts = counts.reindex(index=SPLITS, columns=LABELS, fill_value=0)
    rows = "\n".join(
        f"| {row.Index} | {row.female:,} | {row.male:,} | {row.female + row.male:,} |" for row in counts.itertuples()
    )
    label = "-".join(re.findall("[a-z0-9]+", name.lower()))
    table = f"| Split | Labelled female | Labelled male | Both |\n|:---|---:|---:|---:|\n{rows}"
    return f"::: {{#tbl-images-{label}}}\n\n{table}\n\nImages of {name} that the model was scored on.\n\n:::"


def counted_reading(results: Results, name: str) -> str:
    """How many images of a data set the model was scored on, and why others were not; empty if it was not scored.

    Parameters
    ----------
    results
        The run.
    name
        Data set.
    """
    images = results.run.data[name].images
    scored = int((results.predictions["dataset"] == name).sum())
    if not scored:
        return ""
    usable = int((results.faces["dataset"] == name).sum()) if results.has_faces else 0
    left = []
    if usable:  # `ingest` keeps a person and a picture in one split alone
        left.append((images - usable, "that show no face, or a person or picture of a later split"))
    left.append(((usable or images) - scored, "near copies of photos in another data set"))
    out = [f"{count:,} {what}" for count, what in left if count > 0]
    return f"{scored:,} of its {images:,} images are scored{f'; left out are {listed(out)}' if out else ''}."


def section(results: Results, name: str) -> str:
    """The datasheet of a data set of the run under its name: numbers, then questions and answers; Markdown.

    Parameters
    ----------
    results
        The run.
    name
        Data set.
    """
    facts, sheet = results.run.data[name], KNOWN.get(name)
    trained = results.run.steps.train is not None and name in results.run.steps.train.datasets
    studied = results.study.dataset == name
    used = listed([what for what, so in (("studied", studied), ("trained on", trained)) if so]) or "compared with"
    numbers = f"{facts.images:,} images in this run, {used}; fingerprint `{facts.fingerprint[:16]}`."
    if studied and results.study.identities is not None:
        numbers += f" {results.study.identities:,} people."
    lines = [f"## {name} {{#{name}}}", f"{numbers} {counted_reading(results, name)}".strip(), _counts(results, name)]
    if sheet is None:
        lines.append(_UNKNOWN)
    else:
        where = "Anyone can download it." if sheet.public else "It is published nowhere as a whole."
        lines.append(f"{sheet.title}: {sheet.source}. Terms: {sheet.terms}. {where}")
        lines += [f"**{question}** {answer}" for question, answer in sheet.answers.items()]
    return "\n\n".join(filter(None, lines))
