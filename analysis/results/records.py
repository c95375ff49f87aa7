"""The JSON files of a run as typed records: the single definition of the name, type and meaning of each field.

A record is checked when it is made or read, and cannot be changed; ``record.changed(field=...)`` returns a changed
copy. The file has the fields that were given, in the order of the class. Shares and probabilities are in [0, 1],
effects in standard deviations, intervals are 95 % intervals as (low, high).
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Interval = tuple[float, float]
Label = Literal["female", "male"]
Verdict = Literal["supported", "not worth speaking of", "no difference", "inconclusive"]


class Record(BaseModel):
    """A JSON object with known fields."""

    # Validators are built on first use: those of all records would cost every process that predicts 50 MB.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
        defer_build=True,
    )

    def as_json(self) -> dict[str, Any]:
        """The fields that were given, as plain values for `json.dumps`."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def changed(self, **fields: Any) -> Self:
        """Return a copy with other values, which are checked as well."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self).model_validate(given | fields)


# ---------------------------------------------------------------------------------------------------- what was run


class Code(Record):
    """The code that wrote something."""

    version: str
    """Version of the package."""
    commit: str | None
    """Git commit that was checked out; null outside of a checkout."""


class Data(Record):
    """A data set that a run used."""

    fingerprint: str
    """Checksum of the ingested data."""
    images: int
    """Images in its manifest."""


class Step(Record):
    """Data and code of a step. Its options come from the other base class."""

    model_config = ConfigDict(extra="allow")  # a run of another version may have other options

    data: dict[str, str]
    """Data set -> fingerprint."""
    code: Code
    """The code that ran the step."""


class Options(Record):
    """Everything that a step's result depends on besides data and code."""

    seed: int = 0
    """Random seed."""


class StudyOptions(Options):
    """Options of `meanface study`."""

    dataset: str
    """Data set that was studied."""
    compare: list[str] = []
    """Data sets that its difference maps were compared with."""
    permutations: int
    """Number of permutations of the hypothesis test."""


class Stage(Record):
    """One training of a recipe."""

    run: str
    """Run that it trains."""
    datasets: list[str] = Field(min_length=1)
    """Data sets that it trains on."""
    training: dict[str, Any] = {}
    """Options of `model.training.train.Training` that differ from their defaults."""


class Recipe(Record):
    """Everything that a trained run depends on besides data: its training, after those of its ancestors."""

    stages: list[Stage] = Field(min_length=1)
    """Trainings; the last one is that of the run."""


class Backbone(Record):
    """A network that others have trained."""

    package: str
    """Package that it was taken from."""
    version: str
    """Version of the package."""
    licence: str
    """Licence of the package."""
    trained_on: str
    """Data that it was trained on, with their terms."""
    sha256: str
    """SHA-256 of its graph and weights together, hexadecimal."""


class TrainOptions(Options):
    """Options of `meanface train`; options without a field of their own are listed as they were given."""

    model_config = ConfigDict(extra="allow")  # a training has many options; its own class declares them

    datasets: list[str]
    """Data sets used for training; the first is the one that the run studies."""
    epochs: int
    """Passes over the train split."""
    start: list[str] = []
    """Runs whose weights training started from; random weights if empty."""
    teachers: list[str] = []
    """Runs whose probabilities were training targets beside the labels."""
    backbones: list[Backbone] = []
    """Networks of others that the run or an ancestor of it started from."""
    architecture: dict[str, Any] = {}
    """Sizes of the network."""
    face_temperatures: tuple[float, float] | None = None
    """5th and 95th percentile of the temperatures of validation faces; see `model.training.temperature`."""
    recipe: Recipe | None = None
    """How the run can be reproduced; null if an ancestor was trained before recipes were kept."""


class Looks(Record):
    """How often a run and the runs that it was trained from were evaluated on the test split."""

    evaluations: dict[str, dict[str, int]]
    """Data set -> run -> number of its evaluations on that data; none of them was used to choose anything."""
    uncounted: list[str] = []
    """Runs whose earlier evaluations were not counted: their numbers are lower bounds."""
    gone: list[str] = []
    """Ancestors whose record is gone, so that their evaluations are unknown."""


class EvaluateOptions(Options):
    """Options of `meanface evaluate`."""

    right_share_wanted: float | None = None
    """Share of decided cases that should be right, for which the band was chosen."""
    compare: list[str] = []
    """Runs that this one was compared with."""
    brief: bool = False
    """Whether robustness and explanations were left out."""
    looks: Looks | None = None
    """How often the test split was evaluated; null if that was not counted yet."""


class StudyStep(StudyOptions, Step):
    """A `meanface study` that was run."""


class TrainStep(TrainOptions, Step):
    """A `meanface train` that was run."""


class EvaluateStep(EvaluateOptions, Step):
    """A `meanface evaluate` that was run."""


class Steps(Record):
    """The steps that were run."""

    study: StudyStep | None = None
    """The last `meanface study`."""
    train: TrainStep | None = None
    """The last `meanface train`."""
    evaluate: EvaluateStep | None = None
    """The last `meanface evaluate`."""


class RunRecord(Record):
    """run.json: data, code and options of a run, step by step."""

    run: str
    """Name of the run."""
    data: dict[str, Data]
    """Data sets by name."""
    steps: Steps
    """Data, code and options of each step."""
    created: str
    """When the last step ended, ISO 8601 in UTC."""
    code: Code
    """The code that ran the last step."""
    versions: dict[str, str]
    """Versions of Python and of the packages on which the numbers depend."""


# ------------------------------------------------------------------------------------------------------- the study


class LabelNoise(Record):
    """How many labels are likely wrong; see `analysis.study.label_noise`."""

    images: int
    """Images that were scored."""
    issues: int
    """Labels that are doubted."""
    noise_rate: float
    """Estimated share of wrong labels."""
    suggested: dict[str, int]
    """"female to male" and "male to female" -> number of doubted labels."""
    folds: int | None = None
    """Number of parts of the people, each scored by a classifier fitted on the others; absent for the network."""
    accuracy: float | None = None
    """Accuracy of these out-of-fold scores."""


class Duplicates(Record):
    """Pictures that repeat an earlier one."""

    exact: int
    """Files with the same content."""
    near: int
    """Pictures that look the same."""
    across_splits: int
    """Repeated pictures that are in two splits."""


class Frame(Record):
    """Size of an aligned face."""

    height: int
    """Pixels."""
    width: int
    """Pixels."""


class StudyRecord(Record):
    """study/study.json: what was studied, in numbers."""

    dataset: str
    """Name of the data set."""
    fingerprint: str
    """Checksum of the ingested data."""
    images: int
    """Usable images."""
    identities: int | None
    """People in them; null if nobody is named."""
    metadata_images: int | None
    """Rows of the whole attribute table; null without one."""
    status: dict[str, int]
    """Status in the manifest -> images."""
    aligned_by: dict[str, int]
    """"landmarks" (found by the detector) or "source" (as delivered) -> usable images."""
    duplicates: Duplicates
    """Pictures that repeat an earlier one."""
    identities_across_splits: int
    """People who are in two splits."""
    label_noise: LabelNoise
    """How many labels are likely wrong."""
    frame: Frame
    """Size of an aligned face."""


class Agreement(Record):
    """study/engines.json: how far the compressed averages are from the exact ones, in grey levels (0 to 255)."""

    images: int
    """Faces of the data set."""
    mean_components: int
    """Principal components that represent averages."""
    spread_components: int
    """Principal components that represent standard deviations."""
    residual: float
    """Root mean square of the part of a single face that the components do not represent."""
    exact_below: int
    """Faces below which a subset is read instead of estimated."""
    bytes_a_face: int
    """Stored bytes per face."""
    subsets: int
    """Subsets that were compared."""
    worst_mean: float | None = None
    """Largest root-mean-square difference of an average."""
    median_mean: float | None = None
    """Its median over subsets."""
    worst_spread: float | None = None
    """Largest root-mean-square difference of a standard deviation."""
    median_spread: float | None = None
    """Its median over subsets."""
    worst_subset: str | None = None
    """Filter or description of the subset with ``worst_mean``."""
    worst_subset_count: int | None = None
    """Faces in it."""


# -------------------------------------------------------------------------------------------------- the hypothesis


class Effect(Record):
    """An effect at one place of the picture."""

    g: float
    """Hedges' g, male minus female."""
    channel: str
    """"L", "a" or "b" of CIELAB."""
    region: str
    """Part of the picture."""
    p_value: float
    """How often permuted labels give an effect at least as large anywhere in the picture."""


class Histogram(Record):
    """Counts in bins."""

    bin_left: list[float]
    """Left edges."""
    bin_right: list[float]
    """Right edges."""
    count: list[int]
    """Values in each bin."""


class Survives(Record):
    """How much of the difference within the face remains in the strictest comparison."""

    comparison: str
    """Key of the comparison."""
    title: str
    """Its title."""
    p_value: float
    """Within the face."""
    share: float
    """Share of the mean effect that remains; can be above 1."""
    interval: Interval
    """Of ``share``."""


class LabelComparison(Record):
    """A comparison of the labels with some covariates held equal."""

    key: str
    """Short name, which tables use."""
    title: str
    """Description of what is held equal."""
    how: str
    """Method."""
    held: list[str]
    """Covariates that are held equal."""
    people: dict[str, int]
    """Label -> people compared."""
    effective: dict[str, float]
    """Label -> effective sample size (Kish)."""


class ComparisonRecord(LabelComparison):
    """A comparison of the shades."""

    p_value: float
    """Within the face."""
    max_abs_g_face: float
    """Largest effect within the face."""
    critical_abs_g_face: float
    """Value that the largest effect within the face of 5 % of the permutations exceeds."""


class Overlap(Record):
    """Whether an attribute occurs with both labels often enough to be held equal."""

    kind: str
    """Kind of covariate, such as "hair"."""
    attribute: str
    """Name of the attribute."""
    female: float
    """Share of people labelled female who have it."""
    male: float
    """Share of people labelled male who have it."""
    fewest: int
    """People in the smallest of the four groups."""
    matchable: bool
    """Whether they are enough."""


class ConfounderRecord(Record):
    """The comparisons in which confounders are held equal."""

    photos: int
    """Photos, one per person."""
    permutations: int
    """Permutations of each comparison."""
    resamples: int
    """Bootstrap resamples of people."""
    comparisons: list[ComparisonRecord]
    """From "as photographed" to the strictest."""
    overlap: list[Overlap]
    """Each attribute's occurrence with both labels."""
    fewest: int
    """People that the smallest group must have for an attribute to be held equal."""


class Control(Record):
    """A comparison without a true difference."""

    p_value: float
    """Of the permutation test."""
    max_abs_g: float
    """Largest effect."""


class FalsePositiveRate(Record):
    """How often the test calls random splits within one label different."""

    hits: int
    """Splits called different."""
    splits: int
    """Splits that were tested."""
    rate: float
    """Their ratio."""
    interval: Interval
    """Clopper-Pearson interval of ``rate``."""


class FalsePositives(Record):
    """False-positive rates of the test."""

    alpha: float
    """Nominal rate."""
    permutations: int
    """Permutations per label."""
    by_identity: FalsePositiveRate
    """The test itself: people are the unit."""
    by_photo: FalsePositiveRate | None = None
    """For comparison, photos are the unit; absent if nobody has several photos."""


class AverageAccuracy(Record):
    """How often a rule made from averages predicts the label, for people it was not fitted on."""

    accuracy: float
    """Share of right answers."""
    interval: Interval
    """People resampled."""
    images: int
    """Photos."""
    split: str
    """Their split."""
    balanced: float
    """Mean of the shares of right answers of both labels."""
    balanced_interval: Interval
    """Of ``balanced``."""
    majority: float
    """Share of the more frequent label: what always answering with it would give."""
    components: int | None = None
    """Principal components that the discriminant uses."""
    explained: float | None = None
    """Share of variance that they explain."""


class AverageAccuracies(Record):
    """Both rules on one data set."""

    nearest_average: AverageAccuracy
    """Label of the nearer average face."""
    discriminant: AverageAccuracy
    """Linear discriminant of principal components."""


class ShapeComparison(LabelComparison):
    """A comparison in all named distances of the face."""

    permutations: int
    """Permutations of the labels."""
    p_value: float
    """Family-wise over all distances."""
    largest: str
    """Distance with the largest effect."""
    g: float
    """Its Hedges' g, male minus female."""
    critical: float
    """Value that the largest abs(g) of 5 % of the permutations exceeds."""
    standard_error: float
    """Standard error of a g near 0."""


class ShapeRecord(Record):
    """study/shape.json: the geometric test."""

    photos: int
    """Faces that were measured."""
    missed: int
    """Usable faces without landmarks that can be trusted."""
    resamples: int
    """Bootstrap resamples of people."""
    comparisons: list[ShapeComparison]
    """Averages of people first, then single photos from "as photographed" to the strictest."""
    elsewhere: dict[str, list[ShapeComparison]]
    """Other data set -> the same comparisons there."""
    agreement: dict[str, float]
    """Other data set -> correlation of its effects on averages of people with these, over the distances."""
    pose: dict[str, dict[str, float]]
    """Label -> mean yaw, pitch and roll, in degrees."""
    accuracy: AverageAccuracy | None
    """Of a linear discriminant of the distances, for people it was not fitted on; null without a test split."""
    same_elsewhere: bool | None
    """Whether the distance that differs most does so in every other data set, too, enough to count."""


class HypothesisRecord(Record):
    """study/hypothesis.json: the verdict and all numbers that it depends on."""

    statement: str
    """The hypothesis."""
    verdict: Verdict
    """By the rule of `analysis.hypothesis.verdict`: that on the shape where it was measured, else on the shade."""
    shade: Verdict
    """On the colours of aligned faces."""
    criteria: dict[str, bool | None]
    """Question of that rule -> answer for the shade; null where it could not be tested."""
    shape: Verdict | None
    """On the distances between landmarks; null where there are none."""
    shape_criteria: dict[str, bool | None] | None
    """The same answers for the shape."""
    p_value: float
    """Of the permutation test over all pixels and channels."""
    alpha: float
    """Level of significance."""
    permutations: int
    """Permutations of the test."""
    control_permutations: int
    """Permutations of each control and matched comparison."""
    resamples: int
    """Bootstrap resamples of people."""
    unit: str
    """Unit that is permuted and resampled: "identity"."""
    identities: dict[str, int]
    """Label -> people."""
    mixed_label_identities: int
    """People whose photos carry both labels."""
    identities_left_out: int
    """People who were left out to limit memory."""
    max_abs_g: float
    """Largest effect in the picture."""
    largest: Effect
    """Where it is."""
    largest_in_face: Effect
    """The largest within the face."""
    critical_abs_g: float
    """Effect that permuted labels exceed somewhere in 5 % of cases."""
    area_significant: float
    """Share of the picture beyond it in any channel."""
    area_counting: float
    """Share of the face where an effect is above the smallest that counts with its whole simultaneous interval."""
    area_significant_by_channel: dict[str, float]
    """Channel -> share of the picture beyond it."""
    mean_abs_g: float
    """Mean of abs(g) over picture and channels."""
    mean_abs_g_interval: Interval
    """People resampled."""
    mean_abs_g_by_chance: float
    """The same with permuted labels."""
    null_max_abs_g: Histogram
    """Largest effects of permuted labels."""
    survives: Survives | None
    """What remains in the strictest comparison; null if nothing could be held equal."""
    confounders: ConfounderRecord
    """Comparisons with other things held equal."""
    controls: dict[str, Control]
    """Comparisons without a true difference."""
    false_positives: FalsePositives
    """How often the test is wrong without a true difference."""
    nearest_average: AverageAccuracy
    """How often the label of the nearer average face is right."""
    discriminant: AverageAccuracy
    """How often a linear discriminant is right."""
    carried_over: dict[str, AverageAccuracies]
    """Other data set -> accuracy of the same rules there."""


# ------------------------------------------------------------------------------------------------------- the model


class Band(Record):
    """Scores that are answered with "uncertain"."""

    low: float
    """Lower end."""
    high: float
    """Upper end; scores strictly between are uncertain."""


class Confusion(Record):
    """Confusion matrix."""

    labels: list[str]
    """Order of rows and columns."""
    matrix: list[list[int]]
    """Images; rows are the annotators' labels, columns the model's."""


class LabelScores(Record):
    """A row of scikit-learn's classification report."""

    precision: float
    """Share of the predictions of the label that are right."""
    recall: float
    """Share of the label that is found."""
    f1_score: float = Field(alias="f1-score")
    """Harmonic mean of both."""
    support: float
    """Images."""


class Report(Record):
    """Scikit-learn's classification report."""

    female: LabelScores
    """Label female."""
    male: LabelScores
    """Label male."""
    accuracy: float
    """Share of right answers."""
    macro_avg: LabelScores = Field(alias="macro avg")
    """Mean of both labels."""
    weighted_avg: LabelScores = Field(alias="weighted avg")
    """Mean weighted by images."""


class CalibrationBin(Record):
    """Images whose scores are in one bin."""

    left: float
    """Left edge."""
    right: float
    """Right edge."""
    images: int
    """Images."""
    confidence: float | None
    """Mean score; null in an empty bin."""
    share_male: float | None
    """Share labelled male; null in an empty bin."""


class Calibration(Record):
    """Whether scores are probabilities."""

    ece: float
    """Expected calibration error."""
    bins: list[CalibrationBin]
    """Bins of equal width."""


class Decided(Record):
    """Cases that are answered with a label."""

    coverage: float
    """Share of images that are decided."""
    accuracy: float | None
    """Share of these that is right; null if none is decided."""
    accuracy_low: float | None = None
    """Lower bound of that share that holds with 95 % confidence, photos taken as independent."""
    accuracy_high: float | None = None
    """Upper bound of it that holds with 95 % confidence; absent in older runs."""
    uncertain: int
    """Images that are not decided."""


class Ranking(Record):
    """How well scores rank the labels, whatever the threshold."""

    average_precision: dict[str, float]
    """Label -> area under its precision-recall curve."""
    average_precision_interval: dict[str, Interval]
    """People resampled."""
    roc_auc: float
    """Area under the ROC curve."""
    roc_auc_interval: Interval
    """People resampled."""


class SplitMetrics(Record):
    """Metrics of the model on one split of one source."""

    images: int
    """Images."""
    accuracy: float
    """Share of right answers at 0.5."""
    accuracy_interval: Interval
    """People resampled."""
    balanced_accuracy: float
    """Mean of both labels' recall."""
    log_loss: float
    """Nats per image."""
    brier: float
    """Mean squared error of the score."""
    confusion: Confusion
    """Confusion matrix."""
    report: Report
    """Precision and recall of each label."""
    calibration: Calibration
    """Whether scores are probabilities."""
    decided: Decided
    """Cases that are answered with a label."""
    average_precision: dict[str, float]
    """Label -> area under its precision-recall curve."""
    average_precision_interval: dict[str, Interval]
    """People resampled."""
    roc_auc: float
    """Area under the ROC curve."""
    roc_auc_interval: Interval
    """People resampled."""


class Promise(Record):
    """What the uncertain band is worth on the validation faces of a source that it was chosen on."""

    made: Literal["confident", "sample", "none"]
    """Whether enough decided cases are right: with 95 % confidence, in the sample alone, or not."""
    images: int
    """Validation images."""
    decided: int
    """Images that are decided."""
    right: int
    """Decided images that are right."""
    at_least: float | None
    """Lower bound on the share of decided images that is right, with 95 % confidence; null if none is decided."""


class Thresholds(Record):
    """Everything that is chosen on the validation split."""

    temperature: float
    """Logits are divided by it; every source has the same weight."""
    temperatures: dict[str, float]
    """Source -> temperature fitted on that source alone."""
    band: Band
    """Scores that are answered with "uncertain"."""
    band_ages: tuple[int, int] | None
    """Ages of the faces on which the band was chosen; null if no age is known."""
    promises: dict[str, Promise]
    """Source -> what the band is worth on its validation split."""
    right_share_wanted: float
    """Share of decided cases that should be right in every source."""


class MapRecord(Record):
    """How the map of faces was made, and how far its neighbours can be believed."""

    method: str
    """Name of the method."""
    images: int
    """Faces on the map."""
    features: int
    """Numbers per face that the network's last layer reads."""
    perplexity: float
    """About how many neighbours of a face take part in placing it."""
    seed: int
    """Random seed."""
    neighbours: int
    """Neighbours of a face that are counted."""
    kept: float
    """Share of these by the network's features that are among as many on the map."""
    by_chance: float
    """The same share on a map that knows nothing."""


class MetricsRecord(Record):
    """model/metrics.json: metrics of the model, by source and split."""

    datasets: list[str]
    """Sources; the first is the one that the run studies."""
    splits: dict[str, SplitMetrics]
    """Split -> metrics of the first source."""
    sources: dict[str, dict[str, SplitMetrics]]
    """Source -> split -> metrics."""
    subsets: dict[str, dict[str, SplitMetrics]]
    """Part of a source, such as some ages -> split -> metrics."""
    temperature: float
    """Logits are divided by it; every source has the same weight."""
    temperatures: dict[str, float]
    """Source -> temperature fitted on that source alone."""
    band: Band
    """Scores that are answered with "uncertain"."""
    band_ages: tuple[int, int] | None
    """Ages of the faces on which the band was chosen; null if no age is known."""
    promises: dict[str, Promise] = {}
    """Source -> what the band is worth on its validation split; empty in older runs."""
    right_share_wanted: float
    """Share of decided cases that should be right in every source."""
    label_noise: dict[str, LabelNoise]
    """Source -> how many labels are likely wrong."""
    parameters: int
    """Parameters of the network."""
    input: Frame
    """Size of the picture that the network sees."""
    serving_bytes: int
    """Bytes of the serving file."""
    map: MapRecord | None = None
    """The map of faces in predictions.parquet; absent after a brief evaluation."""


class CardInput(Record):
    """Input of the serving file."""

    height: int
    """Pixels that the network sees."""
    width: int
    """Pixels that the network sees."""
    frame: tuple[int, int]
    """Height and width of the aligned face that they are cut from."""


class Card(Record):
    """model/model.json: facts needed to use the serving file, and its origin."""

    file: str
    """Name of the serving file."""
    sha256: str
    """SHA-256 of the serving file, hexadecimal."""
    bits: int = 32
    """Bits of a weight."""
    accuracy_lost: float | None = None
    """Accuracy on the validation split lost by 8-bit weights."""
    input: CardInput
    """Input of the serving file."""
    parameters: int
    """Parameters of the network."""
    temperature: float
    """Logits are divided by it."""
    band: Band
    """Scores that are answered with "uncertain"."""
    labels: list[str]
    """The two labels that it predicts."""
    run: str
    """Name of the run."""
    test_accuracy: float | None = None
    """Accuracy on the test split; absent before the run is evaluated."""


# ----------------------------------------------------------------------------------------------------- experiments


class AblationRecord(Record):
    """ablation/ablation.json: data and options of the variants."""

    epochs: int
    """Passes over the faces."""
    faces: int
    """Faces drawn from the train split."""
    seed: int
    """Random seed."""
    datasets: list[str]
    """Data sets used for training."""
    data: dict[str, str] = {}
    """Data set -> fingerprint."""
    teacher: Code | None = None
    """The code that trained the teacher."""


class VariantScore(Record):
    """Result of a variant's training."""

    logits: list[float]
    """Logit of each validation face."""
    seconds: float
    """Time of the training."""
    parameters: int
    """Parameters of the network."""


class AblationScores(Record):
    """ablation/scores.json: finished parts of an ablation, from which it resumes."""

    budget: AblationRecord
    """Data and options of the variants."""
    scores: dict[str, VariantScore]
    """Variant -> result of its training."""


class LearningBudget(Record):
    """What the trainings of a learning curve have in common."""

    epochs: int
    """Passes over all faces; of fewer faces as many more."""
    batch_size: int
    """Faces in a step."""
    seed: int
    """Random seed of the first repeat."""
    precision: str
    """Number format of the layers."""
    datasets: list[str]
    """Data sets used for training."""
    data: dict[str, str]
    """Data set -> fingerprint."""
    all_faces: int
    """Faces of the train splits."""


class LearningScore(Record):
    """One training of a learning curve."""

    faces: int
    """Faces to learn from."""
    repeat: int
    """Number of the repeat, from 0."""
    logits: list[float]
    """Logit of each validation face."""
    seconds: float
    """Time of the training."""


class LearningScores(Record):
    """learning/scores.json: finished trainings of a learning curve, from which it resumes."""

    budget: LearningBudget
    """What they have in common."""
    scores: list[LearningScore]
    """Finished trainings."""


class Extrapolation(Record):
    """Power law of wrong answers on a source: floor + scale * faces ** -exponent."""

    floor: float
    """Share of wrong answers that no number of faces goes below."""
    scale: float
    """Scale."""
    exponent: float
    """Exponent."""
    faces: int
    """Number of faces to which it is extrapolated."""
    accuracy: float
    """Accuracy there."""
    interval: Interval
    """Fitted to resampled people; whether the law goes on is not in it."""


class LearningRecord(Record):
    """learning/learning.json: budget of a learning curve, and where it leads."""

    budget: LearningBudget
    """What the trainings have in common."""
    extrapolations: dict[str, Extrapolation]
    """Source -> power law; empty with fewer than four sizes."""


class SearchRecord(Record):
    """search/search.json: method and result of a search of hyper-parameters."""

    sampler: str
    """Method that proposes values: "tpe", "random" or "grid"."""
    trials: int
    """Finished trials."""
    epochs: int
    """Passes over the faces in each trial."""
    faces: int
    """Faces drawn from the train split."""
    data: dict[str, str] = {}
    """Data set -> fingerprint."""
    datasets: list[str] = []
    """Data sets used for training."""
    validation_faces: int | None = None
    """Faces on which trials were scored."""
    importance: dict[str, float]
    """Hyper-parameter -> share of the value's variance that it explains; empty with few trials."""
    best: dict[str, int | float | str]
    """Settings of the best trial."""


class ReliabilityRecord(Record):
    """reliability.json: what the long tests of reliability tried and found."""

    created: str
    """When the last of its figures was measured, ISO 8601 in UTC."""
    code: Code
    """The code that was tested."""
    inputs: int
    """Broken photos of all kinds that were searched for faces in one process."""
    requests: int
    """Broken photos and requests that were sent to a server."""
    failures: int
    """Answers of the server with the status 500."""
    hangs: int
    """Photos and requests that were not answered within the time allowed."""
    photo_memory: int
    """Most memory of a process that searches one photo of any kind and size, in MB."""
    server_memory: int
    """Most memory of a server and its processes while 32 clients send the largest photos, in MB."""
    photo_ratio: float
    """Time of one photo of 250 x 250 pixels over HTTP, divided by that of the predictor alone."""
    throughput_ratio: float
    """Photos a second at 32 clients, divided by those of the predictor alone on the same cores."""
    crowded_ratio: float
    """99th percentile of the waiting times of what is accepted at 200 clients, divided by the median at 32."""
    kills: dict[str, int]
    """Command -> times that it was killed and, started again, gave the same result."""
