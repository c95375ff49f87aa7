"""What a run began with, what it was trained on and what chose, in sentences computed from its record.

A sentence that would be false of some other run stands here, not on a page.
"""

from html import escape

from analysis.core.words import listed
from analysis.figures.datasheets import called
from analysis.figures.html import PageHtml
from analysis.results import Results
from analysis.results.records import AblationRecord, Backbone, EvaluateStep, SearchRecord, StudyRecord, TrainStep


def initial_weights(record: TrainStep) -> str:
    """What a training began with: random weights, earlier runs, or a network of others, with licence and data.

    Parameters
    ----------
    record
        The step "train" of ``run.json``.
    """
    start = [f"“{name}”" for name in record.start]
    initial = "random weights"
    if start:
        initial = "the mean weights of earlier runs, " if len(start) > 1 else "the weights of an earlier run, "
        initial += listed(start)
    if not record.backbones:
        return initial
    others = listed([_named(other) for other in record.backbones])
    networks = "a network of others" if len(record.backbones) == 1 else "networks of others"
    return f"{initial}, which go back to {networks}: {others}" if start else f"the weights of {networks}: {others}"


def _named(other: Backbone) -> str:
    return f"{other.package} {other.version} (licence {other.licence}; trained on {other.trained_on})"


def backbone_reading(record: TrainStep) -> str:
    """What is known of the networks of others that a run goes back to, and what is not; empty if there are none.

    Parameters
    ----------
    record
        The step "train" of ``run.json``.
    """
    if not record.backbones:
        return ""
    return " ".join(
        f"Part of its weights comes from {other.package} {other.version}, a network that others trained on "
        f"{other.trained_on}. The package is under the licence {other.licence}; the terms of those photos apply to "
        "what is "
        "made of them, too. Who is in them, who labelled them and whether anybody agreed is not documented there, "
        "and was "
        "not checked here: some may show people of the test splits."
        for other in record.backbones
    )


def test_photos(results: Results) -> str:
    """The test photos on which a run's first figures are measured: whose they are, and who is in them."""
    return f"{called(results.metrics.datasets[0])}’s test photos ({unseen(results)})"


def unseen(results: Results) -> str:
    """The test photos of the studied data set, by what is known of the people in them."""
    study, train = results.study, results.run.steps.train
    if study.identities is None:
        return "photos that were kept out of training"
    if study.identities_across_splits or study.duplicates.across_splits:
        return "test photos"
    if train is not None and train.backbones:
        return "photos of people who were kept out of training here"
    return "photos of unseen people"


def splits_reading(study: StudyRecord) -> str:
    """Whether people or pictures are in two splits of the studied data set.

    Parameters
    ----------
    study
        ``study.json``.
    """
    pictures = study.duplicates.across_splits
    people = study.identities_across_splits
    if study.identities is None:
        said = f"Who is in them is not known, so that {study.dataset} may show somebody in two splits"
        return (
            f"{said}; {pictures:,} pictures of it were found in two." if pictures else f"{said}; no picture is in two."
        )
    if not people and not pictures:
        return f"No person and no picture of {study.dataset} is in two splits."
    return f"In {study.dataset}, {people:,} people and {pictures:,} pictures are in two splits."


def chosen_by(results: Results) -> str:
    """Which photos the network was trained on, which chose, and how often the test splits were looked at."""
    train, evaluate = results.run.steps.train, results.run.steps.evaluate
    trained = "Its training used the train splits only."
    if train is not None and train.backbones:
        trained = (
            "Its training here used the train splits only; the network of others that it goes back to had been "
            "trained on "
            f"other photos ({listed([other.trained_on for other in train.backbones])})."
        )
    elif train is not None and train.start:
        trained = f"Its training used the train splits only, as did {listed(list(train.start))}, which it began with."
    return f"{trained} {looks_in_brief(evaluate)}"


def looks_in_brief(step: EvaluateStep | None) -> str:
    """How often test splits were looked at, in a sentence: the most for any data set."""
    if step is None or step.looks is None:
        return "How often the test splits were looked at before was not recorded."
    looks = step.looks
    most = max((sum(counts.values()) for counts in looks.evaluations.values()), default=0)
    bound = "at least " if looks.uncounted or looks.gone else ""
    times = "once" if most == 1 else f"{most} times"
    ours = "by this run" if most == 1 and not bound else "by this run and those that it was trained from"
    return f"The test splits were looked at {bound}{times} {ours}; no step of the code chooses by them."


def training_parts(record: TrainStep) -> str:
    """What is done in training besides fitting the label, by the options of this one.

    Parameters
    ----------
    record
        The step "train" of ``run.json``.
    """
    options = record.as_json()
    sentences = []
    if options.get("auxiliary", 0):
        heads = options.get("architecture", {})
        known = [name for name in ("attributes", "ages", "races") if heads.get(name)]
        if known:
            sentences.append(f"Besides the label, the network learns {listed(known)} in training.")
    augmentation = options.get("augmentation", {})
    if any(value for value in augmentation.values()):
        sentences.append("Every face is augmented again each time it is used.")
    if options.get("balance", 0):
        sentences.append(
            "Rare groups of source, label, style (make-up or lipstick) and age are sampled more often, with equal "
            "weight for "
            "both labels; at the end, the last layer is fitted again with equal weight for each group if that helps."
        )
    if options.get("average", 0):
        sentences.append("The saved weights are a running mean.")
    if record.teachers:
        sentences.append("Besides labels, it learns from the probabilities of earlier runs.")
    return " ".join(sentences)


def tried_on(
    what: str,
    budget: AblationRecord | SearchRecord,
    record: TrainStep | None,
    *,
    parameters: tuple[int, int] | None = None,
    short: bool = True,
) -> str:
    """Say which trainings an ablation or a search consists of, and in what the published network differs from them.

    Both begin with random weights and the default network, whatever the published one began with.

    Parameters
    ----------
    what
        "ablation" or "search".
    budget
        Its data and budget.
    record
        The step "train" of ``run.json``.
    parameters
        Numbers of parameters of the network that was tried, with its auxiliary heads, and of the published one; None if
        they are not recorded.
    short
        Whether they see fewer faces than the published training; see `is_short`.
    """
    size = f"of {parameters[0]:,} parameters " if parameters else ""
    of = f" of {listed(budget.datasets)}" if budget.datasets else ""
    begins = (
        "The trainings of this {} are short ones beside the published one" if short else "In each training of this {}"
    )
    text = (
        f"{begins.format(what)}: a network {size}begins with random weights and sees {budget.faces:,} faces{of} for "
        f"{budget.epochs} epochs."
    )
    if short:
        text += " A short training favours what learns fast."
    if record is None:
        return text
    others = []
    begun = listed([f"“{name}”" for name in record.start] or [other.package for other in record.backbones])
    if begun:
        others.append(f"began with the weights of {begun}")
    if parameters and abs(parameters[1] - parameters[0]) > _ALIKE * parameters[0]:
        others.append(f"has {parameters[1]:,} parameters")
    if budget.datasets and set(budget.datasets) != set(record.datasets):
        others.append(f"learned from all training faces of {listed(record.datasets)}")
    elif any(record.data.get(name, mark) != mark for name, mark in budget.data.items()):
        others.append("learned from another state of these data sets")
    if not others:
        return f"{text} The published network is like it, but learned from all training faces."
    return f"{text} The published network {listed(others)}: what is found here need not hold for it."


def is_short(budget: AblationRecord | SearchRecord, results: Results) -> bool:
    """Whether trainings of an ablation or a search see fewer faces in all than the published one did."""
    train, sources = results.run.steps.train, results.metrics.sources
    if train is None or not all("train" in sources.get(name, {}) for name in train.datasets):
        return True
    return budget.faces * budget.epochs < train.epochs * sum(sources[name]["train"].images for name in train.datasets)


def tried_reading(results: Results, page: str = "") -> str:
    """What was tried beside the published training, as links, and with which networks; empty if nothing was.

    Parameters
    ----------
    results
        The run.
    page
        Page with the sections on it; empty for the same page.
    """
    budgets: dict[str, AblationRecord | SearchRecord] = {}
    if results.has_ablation:
        budgets[f"[an ablation]({page}#what-each-part-is-worth)"] = results.ablation_budget
    if results.has_search:
        budgets[f"[a search for settings]({page}#the-search-for-settings)"] = results.search_record
    if not budgets:
        return ""
    short = all(is_short(budget, results) for budget in budgets.values())
    train = results.run.steps.train
    other = train is not None and (train.start or train.backbones)
    return (
        f"{listed(list(budgets))}, made with {'short ' if short else ''}trainings of "
        f"{'networks that began with random weights, which this one did not' if other else 'networks like it'}"
    )


_ALIKE = 0.05  # share of the parameters that auxiliary heads may have, which exist only in training


def lineage_html(results: Results) -> PageHtml:
    """Draw where the published network comes from: what it goes back to, what it began with, its data, its file.

    Earlier steps stand first. What a step was trained on is listed beneath it, as far as it is recorded.
    """
    run, train, evaluate = results.run, results.run.steps.train, results.run.steps.evaluate
    steps: list[tuple[str, str, list[str]]] = []
    if train is not None:
        looks = evaluate.looks if evaluate is not None else None
        begun = set(train.start) | set(train.teachers)
        named = {name for counts in looks.evaluations.values() for name in counts} if looks is not None else set()
        gone = list(looks.gone) if looks is not None else []
        further = sorted(named - begun - {run.run})
        if further or gone:
            kept = [f"{listed(further)}: evaluated, too"] if further else []
            lost = [
                f"{listed(gone)}: nothing of it is kept"
                if len(gone) == 1
                else f"{listed(gone)}: nothing of them is kept"
            ]
            steps.append(("further back", listed([*gone, *further]), kept + (lost if gone else [])))
        for other in train.backbones:
            steps.append(
                ("a network of others", f"{other.package} {other.version}", [f"trained on {other.trained_on}"])
            )
        known = results.cross_source.drop_duplicates("run").set_index("run")["trained_on"]
        for kind, names in (("began with", train.start), ("learned from", train.teachers)):
            for name in names:
                steps.append((kind, name, [f"trained on {known[name]}"] if name in known else []))
        if not begun and not train.backbones:
            steps.append(("began with", "random weights", []))
        data = [f"{name}, {run.data[name].images:,} images" if name in run.data else name for name in train.datasets]
        epochs = "epoch" if train.epochs == 1 else "epochs"
        steps.append(("this run", run.run, [f"{train.epochs} {epochs} on", *data]))
    card = results.card
    steps.append(("served", card.file, [f"{card.bits} bits", f"SHA-256 {card.sha256[:12]}"]))
    items = "".join(
        f'<li><span class="lineage-kind">{escape(kind)}</span> <strong>{escape(name)}</strong>'
        + "".join(f"<small>{escape(line)}</small>" for line in lines)
        + "</li>"
        for kind, name, lines in steps
    )
    return PageHtml(f'<div class="lineage-room"><ol class="lineage">{items}</ol></div>')


def lineage_reading(results: Results) -> str:
    """What the network began with, and whether all that it goes back to is recorded."""
    train, evaluate = results.run.steps.train, results.run.steps.evaluate
    if train is None:
        return "How the network was trained is not recorded."
    looks = evaluate.looks if evaluate is not None else None
    gone = list(looks.gone) if looks is not None else []
    begun = "random weights" if not train.start and not train.backbones else initial_weights(train)
    text = f"The network of run {results.run.run} began with {begun}."
    if gone:
        text += f" Of {listed(gone)}, further back, no more than the name is known, so that the chain does not end."
    return text
