"""Every stored file of a run, declared once: where it lies, what writes it, and what is in it.

The writers' checks, what is published, the reader (`analysis.results.Results`) and ``results/README.md`` all follow
from these declarations; the tests' synthetic run is held against them. To add a result, declare it here, give it an
attribute in the reader, and write it with its ``write``.
"""

from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.results.records import (
    AblationRecord,
    AblationScores,
    Agreement,
    Card,
    HypothesisRecord,
    LearningRecord,
    LearningScores,
    MetricsRecord,
    ReliabilityRecord,
    RunRecord,
    SearchRecord,
    ShapeRecord,
    StudyRecord,
)
from analysis.results.stored import Arrays, Artifact, Binary, Column, Json, Table, Variable

_STUDY = "meanface study NAME --run RUN"
_TRAIN = "meanface train NAME --run RUN"
_EVALUATE = "meanface evaluate RUN"
_ABLATE = "meanface ablate NAME --run RUN"
_CURVE = "meanface curve NAME --run RUN"
_SEARCH = "meanface search NAME --run RUN"
STEPS = (_STUDY, _TRAIN, _EVALUATE)  # the commands that a published run needs, in the order in which they are run

_SHARE, _EFFECT = "0 to 1", "standard deviations"
_PUPILS = "distances between the pupils; degrees of an angle"


def _text(name: str, meaning: str) -> Column:
    return Column(name, "string", meaning)


def _count(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "integer", meaning, unit)


def _number(name: str, meaning: str, unit: str = "", *, optional: bool = False) -> Column:
    return Column(name, "float", meaning, unit, optional)


def _flag(name: str, meaning: str, *, optional: bool = False) -> Column:
    return Column(name, "boolean", meaning, "", optional)


def _interval(of: str, unit: str, prefix: str = "") -> tuple[Column, Column]:
    return (
        _number(f"{prefix}low", f"lower end of the 95 % interval of `{of}`", unit),
        _number(f"{prefix}high", "upper end of it", unit),
    )


_IMAGES = _count("images", "number of images")
_LABEL = _text("label", "label as the annotators perceived it: female or male")
_SPLIT = _text("split", "train, validation or test")
_SCOPE = _text("scope", "images (the faces that were studied) or metadata (every row of the attribute table)")
_SOURCE = _text("source", "data set, or a part of it such as some ages")
_RUN = _text("run", "this run, or one that it was compared with")
_ACCURACY = _number("accuracy", "share of right answers", _SHARE)
_COVERAGE = _number("coverage", "share of images that are decided", _SHARE)
_DECIDED = _number("decided_accuracy", "share of decided images that is right", _SHARE)
_COMPARISON = _text("comparison", "key of a comparison in hypothesis.json")
_REGION = _text("region", "part of the picture")
_KIND = _text("kind", "kind of covariate, such as hair or age")
_MEAN_G = _number("mean_abs_g", "mean of abs(Hedges' g) over the part", _EFFECT)
_BY_CHANCE = _number("by_chance", "the same with exchanged labels", _EFFECT)
_LIGHTNESS = _text("channel", "L, a or b of CIELAB, or all of them")

_RGB = Variable("channel", ("channel",), "R, G, B")
_LAB = Variable("channel", ("channel",), "L, a, b of CIELAB")
_FACE = ("y", "x", "channel")
_HALF = ("channel", "half_y", "half_x")

RUN = Json("run.json", _STUDY, "What the run was made from: data, options and code of each step.", record=RunRecord)

STUDY = Json("study/study.json", _STUDY, "Counts of the study and where its data come from.", record=StudyRecord)
HYPOTHESIS = Json(
    "study/hypothesis.json", _STUDY, "The verdict and all the numbers that it rests on.", record=HypothesisRecord
)
REGIONS = Table(
    "study/hypothesis_regions.parquet",
    _STUDY,
    "Effect of each part of the picture and channel.",
    columns=(
        _REGION,
        _LIGHTNESS,
        _number("share", "share of the picture that the part covers", _SHARE),
        _MEAN_G,
        *_interval("mean_abs_g", _EFFECT),
        _BY_CHANCE,
        _number("max_abs_g", "largest abs(g) within the part", _EFFECT),
        _number("beyond_chance", "share of the part beyond what exchanged labels give anywhere", _SHARE),
    ),
)
CONFOUNDERS = Table(
    "study/hypothesis_confounders.parquet",
    _STUDY,
    "Effect of each part with other things held equal, and the share that survives.",
    columns=(
        _COMPARISON,
        _REGION,
        _MEAN_G,
        *_interval("mean_abs_g", _EFFECT),
        _BY_CHANCE,
        _number("survives", "`mean_abs_g` relative to the photos as they are"),
        *_interval("survives", "", "survives_"),
    ),
)
BALANCE = Table(
    "study/hypothesis_balance.parquet",
    _STUDY,
    "Difference of the labels in each covariate, before and after it is held equal.",
    columns=(
        _COMPARISON,
        _KIND,
        _text("covariate", "name of the covariate"),
        _flag("held", "whether the comparison holds it equal"),
        _number("difference", "standardised mean difference, male minus female", _EFFECT),
    ),
)
ELSEWHERE = Table(
    "study/hypothesis_elsewhere.parquet",
    _STUDY,
    "Correlation of this data set's difference map with those of other data sets, and of their ages and races.",
    columns=(
        _text("dataset", "the other data set"),
        _text("kind", "all, age or race"),
        _text("group", "everybody, an age band or a race"),
        _count("female", "people labelled female in the group"),
        _count("male", "people labelled male in the group"),
        _LIGHTNESS,
        _number("correlation", "Pearson's correlation of the two maps", "-1 to 1"),
        *_interval("correlation", "-1 to 1"),
    ),
)
EFFECTS = Arrays(
    "study/hypothesis_maps.zarr.zip",
    _STUDY,
    "Maps of the effect: of the data set, with other things held equal, and of other data sets.",
    variables=(
        Variable("effect", ("channel", "y", "x"), "Hedges' g, male minus female", _EFFECT),
        Variable("held_equal", ("comparison", *_HALF), "the same in each comparison, at half size", _EFFECT),
        Variable("elsewhere", ("dataset", *_HALF), "the same of each other data set, at half size", _EFFECT),
        _LAB,
        Variable("comparison", ("comparison",), "key of a comparison in hypothesis.json"),
        Variable("dataset", ("dataset",), "name of the other data set"),
    ),
)
SHAPE = Json(
    "study/shape.json", _STUDY, "The geometric test and what it rests on.", "where present", record=ShapeRecord
)
SHAPE_DISTANCES = Table(
    "study/shape_distances.parquet",
    _STUDY,
    "Distances of the face by label, with their effects, in each comparison of each data set.",
    "where present",
    columns=(
        _text("dataset", "data set"),
        _text("comparison", "key of a comparison in shape.json"),
        _text("distance", "what is measured"),
        _number("female", "mean of the people labelled female", _PUPILS),
        _number("male", "mean of the people labelled male", _PUPILS),
        _number("g", "Hedges' g, male minus female", _EFFECT),
        *_interval("g", _EFFECT),
        _number("p_value", "p value, family-wise over the distances", _SHARE),
        _number("overlap", "area that the distributions of the two labels share", _SHARE),
    ),
)
SHAPE_GROUPS = Table(
    "study/shape_groups.parquet",
    _STUDY,
    "The same effects on averages of people within ages and races.",
    "where present",
    columns=(
        _text("dataset", "data set"),
        _text("kind", "age or race"),
        _text("group", "an age band or a race"),
        _count("females", "people labelled female in the group"),
        _count("males", "people labelled male in the group"),
        _text("distance", "what is measured"),
        _number("g", "Hedges' g, male minus female", _EFFECT),
        *_interval("g", _EFFECT),
    ),
)
SHAPE_MAPS = Arrays(
    "study/shape_maps.zarr.zip",
    _STUDY,
    "Average shapes seen from the front, the displacement between them, and the distribution of each distance.",
    "where present",
    variables=(
        Variable("shape", ("label", "point", "axis"), "average points of the mesh", "distances between the pupils"),
        Variable("displacement_g", ("point", "axis"), "Hedges' g of each point, male minus female", _EFFECT),
        Variable("beyond_chance", ("point",), "whether a point differs by more than exchanged labels give anywhere"),
        Variable("bell", ("distance", "label", "deviation"), "density of person averages"),
        Variable("label", ("label",), "female, male"),
        Variable("axis", ("axis",), "x to the right of the picture, y down"),
        Variable("distance", ("distance",), "what is measured"),
        Variable("deviation", ("deviation",), "distance from the mean of all", _EFFECT),
    ),
)
SHAPE_FREE = Arrays(
    "study/shape_free.zarr.zip",
    _STUDY,
    "Averages of faces warped to a common shape, 16 people or more in each; shape and texture apart.",
    "where present",
    variables=(
        Variable("picture", ("step", "tall", "wide", "channel"), "the average", "0 to 255"),
        Variable("shape_of", ("step",), "whose shape: 0 female, 1 male, beyond them a caricature"),
        Variable("texture_of", ("step",), "whose texture"),
        Variable("points", ("label", "point", "axis"), "average points", "pixels of the frame"),
        Variable("count", ("label",), "faces averaged"),
        Variable("sharpness", ("kind", "label"), "mean gradient of luma within the face", "8-bit steps per pixel"),
        Variable("label", ("label",), "female, male"),
        Variable("axis", ("axis",), "x, y"),
        Variable("kind", ("kind",), "aligned or shape-free"),
        _RGB,
    ),
)
CONTRAST = Table(
    "study/contrast.parquet",
    _STUDY,
    "How much darker than the skin around them eyes, lips and brows are, by label (Russell's facial contrast).",
    "where present",
    columns=(
        _text("dataset", "data set"),
        _text("kind", "all, bare (neither make-up nor beard), age or race"),
        _text("group", "everybody, bare faces, an age band or a race"),
        _count("females", "people labelled female in the group"),
        _count("males", "people labelled male in the group"),
        _text("feature", "eyes, lips, brows, or the mean of eyes and lips"),
        _number("female", "mean contrast of those labelled female", "-1 to 1"),
        _number("male", "mean contrast of those labelled male", "-1 to 1"),
        _number("g", "Hedges' g, male minus female", _EFFECT),
        *_interval("g", _EFFECT),
        _number("p_value", "p value, family-wise over the features", _SHARE),
    ),
)
LABELS = Table(
    "study/labels.parquet",
    _STUDY,
    "Images and people of each label and split.",
    columns=(_LABEL, _SPLIT, _IMAGES, _count("identities", "people in them; missing where nobody is named")),
)
ATTRIBUTES = Table(
    "study/attributes.parquet",
    _STUDY,
    "Prevalence of each attribute and label, with its Wilson interval.",
    columns=(
        _SCOPE,
        _text("attribute", "CelebA's name of the attribute"),
        _LABEL,
        _IMAGES,
        _count("positives", "images that have the attribute"),
        _number("prevalence", "their share", _SHARE),
        *_interval("prevalence", _SHARE),
    ),
)
COOCCURRENCE = Table(
    "study/cooccurrence.parquet",
    _STUDY,
    "Correlation of every pair of attributes, the label among them.",
    columns=(
        _SCOPE,
        _text("first", "one attribute"),
        _text("second", "another attribute"),
        _count("first_place", "place of the first in the order of similarity, from 0"),
        _count("second_place", "place of the second"),
        _IMAGES,
        _number("both", "share of images that have both", _SHARE),
        _number("phi", "phi coefficient", "-1 to 1"),
    ),
)
IDENTITIES = Table(
    "study/identities.parquet",
    _STUDY,
    "People by the number of their images, and how many of them carry both labels.",
    columns=(
        _SCOPE,
        _count("images", "images of a person"),
        _count("people", "people with so many"),
        _count("mixed_people", "of these, people whose images carry both labels"),
        _count("minority_images", "images of those people that carry the rarer label"),
    ),
)
DUPLICATES = Table(
    "study/duplicates.parquet",
    _STUDY,
    "Pictures that repeat an earlier one, by what the copies disagree about.",
    columns=(
        _text("kind", "exact (same file content) or near (looks the same)"),
        _flag("same_split", "whether both are in one split"),
        _flag("same_label", "whether both have one label"),
        _flag("same_person", "whether both are of one person"),
        _count("images", "number of repeated pictures"),
    ),
)
DOUBTS = Table(
    "study/doubts.parquet",
    _STUDY,
    "Labels that confident learning doubts on out-of-fold scores, counted by group.",
    columns=(
        _text("kind", "all, label or attribute"),
        _text("group", "all faces, a label, or an attribute that the images have"),
        _IMAGES,
        _count("doubted", "images whose label is doubted"),
        _number("share", "their share", _SHARE),
        *_interval("share", _SHARE),
    ),
)
SAMPLES = Arrays(
    "study/samples.zarr.zip",
    _STUDY,
    "Composites of 16 faces or more each: a sample of the data set that shows nobody.",
    variables=(
        Variable("face", ("picture", *_FACE), "the composite", "0 to 255"),
        Variable("label", ("picture",), "label of its members"),
        Variable("members", ("picture",), "faces in it"),
        _RGB,
    ),
)
QUALITY = Table(
    "study/quality.parquet",
    _STUDY,
    "Histograms of brightness, contrast, sharpness and size by label.",
    columns=(
        _LABEL,
        _text("measure", "what was measured"),
        _text("unit", "unit of the bins"),
        _number("bin_left", "left edge of the bin", "`unit`"),
        _number("bin_right", "right edge of the bin", "`unit`"),
        _count("images", "images in the bin"),
    ),
)
AVERAGE_FACES = Arrays(
    "study/average_faces.zarr.zip",
    _STUDY,
    "Average, standard deviation and standard error of the faces of each label.",
    variables=(
        Variable("mean", ("label", *_FACE), "average face", _SHARE),
        Variable("spread", ("label", *_FACE), "standard deviation over faces", _SHARE),
        Variable("sem", ("label", *_FACE), "standard error of the mean", _SHARE),
        Variable("count", ("label",), "faces averaged"),
        Variable("label", ("label",), "female, male"),
        _RGB,
    ),
)
SUBSETS = Arrays(
    "study/subsets.zarr.zip",
    _STUDY,
    "Averages of named subsets, each of 16 people or more.",
    variables=(
        Variable("mean", ("subset", *_FACE), "average face", _SHARE),
        Variable("spread", ("subset", *_FACE), "standard deviation over faces", _SHARE),
        Variable("count", ("subset",), "faces averaged"),
        Variable("people", ("subset",), "people in them; -1 where nobody is named"),
        Variable("filter", ("subset",), "filter that selects the subset"),
        Variable("shared", ("subset", "other"), "faces that two subsets have in common"),
        Variable("subset", ("subset",), "name of the subset"),
        _RGB,
    ),
)
FACES = Table(
    "study/faces.parquet",
    _STUDY,
    "One row per usable image of the data set and of those that it is compared with; never the image.",
    "where present",
    columns=(
        _text("image_id", "name of the image in its data set"),
        _text("dataset", "data set"),
        Column("part", "string", "part of the data set", optional=True),
        _LABEL,
        _SPLIT,
        Column("age", "integer", "age as annotated", "years", optional=True),
        Column("race", "string", "race as annotated", optional=True),
        *(_flag(name, "CelebA's attribute of this name", optional=True) for name in CELEBA_ATTRIBUTES),
        _number("brightness", "mean luma", _SHARE, optional=True),
        _number("contrast", "standard deviation of luma", _SHARE, optional=True),
        _number("sharpness", "variance of the Laplacian of luma in 0 to 255", optional=True),
        _flag("landmarks", "whether the face has landmarks", optional=True),
        _number(
            "yaw",
            "turn of the head to the left of the picture; this and what follows need landmarks",
            "degrees",
            optional=True,
        ),
        _number("pitch", "turn of the head down, 0 on average", "degrees", optional=True),
        _number("roll", "tilt of the head", "degrees", optional=True),
        _number("mouth_corners", "height of the corners of the mouth above its middle", _PUPILS, optional=True),
        _number("mouth_open", "gap between the lips", _PUPILS, optional=True),
        _count("aggregate", "number of the group in aggregates.zarr.zip that the face belongs to"),
    ),
    further=f"the distances that shape_distances.parquet names, in {_PUPILS}",
    compression="zstd",
)
AGGREGATES = Arrays(
    "study/aggregates.zarr.zip",
    _STUDY,
    "Averages of groups of 16 people or more, from which any selection's follows (`analysis.averages.aggregates`).",
    "where present",
    variables=(
        Variable("centre", ("half_y", "half_x", "channel"), "average of all faces, at half size", "0 to 255"),
        Variable("basis", ("component", "half_y", "half_x", "channel"), "components of the groups' averages"),
        Variable("coefficient", ("aggregate", "component"), "of each group's average", "grey levels, 0 to 255"),
        Variable(
            "slope",
            ("dataset", "covariate", "component"),
            "by how much coefficients differ within a group where a covariate differs by 1",
        ),
        Variable("faces", ("aggregate",), "faces of the group"),
        Variable("people", ("aggregate",), "people on them; an image without identity counts as a person"),
        Variable("dataset", ("dataset",), "data set"),
        Variable("covariate", ("covariate",), "what is known of a face, as in faces.parquet, and powers of it"),
        _RGB,
    ),
)
AGGREGATE_ERRORS = Table(
    "study/aggregate_errors.parquet",
    _STUDY,
    "How far averages made of small groups are from the exact ones, for selections drawn at random.",
    "where present",
    columns=(
        _text("dataset", "data set"),
        _text("kind", "by what the selections are drawn"),
        _count("selections", "number of selections, of 32 faces or more"),
        _number("faces", "median number of faces of a selection"),
        _number("error", "median root-mean-square error over the picture", "grey levels, 0 to 255"),
        _number("error_high", "error that 95 % of the selections stay below", "grey levels, 0 to 255"),
        _number("difference", "median difference of the exact average from that of all faces", "grey levels, 0 to 255"),
    ),
)
AGGREGATE_SHAPES = Arrays(
    "study/aggregate_shapes.zarr.zip",
    _STUDY,
    "Shape and texture of the same groups, for crisp averages (`analysis.averages.shape_aggregates`).",
    "where present",
    variables=(
        Variable("shape_centre", ("point", "axis"), "average points of all faces", "pixels of the frame"),
        Variable("shape_basis", ("shape_component", "point", "axis"), "components of the groups' points"),
        Variable("shape_coefficient", ("pool", "shape_component"), "of each pool's points", "pixels of the frame"),
        Variable(
            "shape_slope",
            ("dataset", "covariate", "shape_component"),
            "by how much coefficients differ within a group where a covariate differs by 1",
        ),
        Variable(
            "texture_centre",
            ("half_y", "half_x", "channel"),
            "average of all faces in the common shape, at half size",
            "0 to 255",
        ),
        Variable(
            "texture_basis", ("texture_component", "half_y", "half_x", "channel"), "components of the groups' textures"
        ),
        Variable(
            "texture_coefficient",
            ("pool", "texture_component"),
            "of each pool's texture",
            "grey levels, 0 to 255",
        ),
        Variable(
            "texture_slope",
            ("dataset", "covariate", "texture_component"),
            "by how much coefficients differ within a group where a covariate differs by 1",
        ),
        Variable("common", ("point", "axis"), "points that every face is warped to", "pixels of the frame"),
        Variable(
            "detail",
            ("label", "tall", "wide", "channel"),
            "what the average texture of a label has beyond one of half size",
            "grey levels, 0 to 255",
        ),
        Variable("pool", ("aggregate",), "of each group: those where few people have landmarks share one with another"),
        Variable("faces", ("pool",), "faces that have landmarks; 0 where they are of too few people"),
        Variable("people", ("pool",), "people on them; 0 likewise"),
        Variable("dataset", ("dataset",), "data set"),
        Variable("covariate", ("covariate",), "what is known of a face, as in faces.parquet, and powers of it"),
        Variable("label", ("label",), "female, male"),
        Variable("axis", ("axis",), "x, y"),
        _RGB,
    ),
)
AGGREGATE_SHAPE_ERRORS = Table(
    "study/aggregate_shape_errors.parquet",
    _STUDY,
    "How far shape and texture made of small groups are from the exact ones, for selections drawn at random.",
    "where present",
    columns=(
        _text("dataset", "data set"),
        _text("kind", "by what the selections are drawn"),
        _count("selections", "number of selections, of 16 faces with landmarks or more"),
        _number("faces", "median number of faces of a selection"),
        _number("points", "median root-mean-square distance of the points", "pixels of the frame"),
        _number(
            "points_difference", "median distance of the exact points from those of all faces", "pixels of the frame"
        ),
        _number("texture", "median root-mean-square error of the texture", "grey levels, 0 to 255"),
        _number(
            "texture_difference", "median difference of the exact texture from all faces'", "grey levels, 0 to 255"
        ),
    ),
)
ENGINES = Json(
    "study/engines.json", _STUDY, "How far the compressed averages are from the exact ones.", record=Agreement
)

METRICS = Json("model/metrics.json", _EVALUATE, "Metrics of the model, by source and split.", record=MetricsRecord)
HISTORY = Table(
    "model/history.parquet",
    _TRAIN,
    "Training epoch by epoch.",
    columns=(
        _count("epoch", "epoch, counted from 1"),
        _number("loss", "loss on the train split", "nats per image"),
        _number("accuracy", "accuracy on the train split, on distorted faces", _SHARE),
        _number("val_loss", "loss on the validation split", "nats per image"),
        _number("val_accuracy", "accuracy on the validation split", _SHARE),
        _number(
            "val_group_loss",
            "mean of `val_loss` over groups of source, label, style and age",
            "nats per image",
            optional=True,
        ),
        _number("val_worst_loss", "`val_loss` of the group where it is highest", "nats per image", optional=True),
        _number("val_worst_accuracy", "`val_accuracy` of the group where it is lowest", _SHARE, optional=True),
        _number("learning_rate", "learning rate at the end of the epoch"),
        _flag("kept", "whether the weights of this epoch are the model"),
    ),
)
PREDICTIONS = Table(
    "model/predictions.parquet",
    _EVALUATE,
    "Score of every image; never the image.",
    columns=(
        _text("image_id", "name of the image in its data set"),
        _text("dataset", "data set"),
        _SPLIT,
        _LABEL,
        _number("p_male", "calibrated probability that an annotator would say male", _SHARE),
        _text("decision", "female, male or uncertain"),
        _number("map_x", "place on a map on which faces lie together that the network sees alike", optional=True),
        _number("map_y", "the same, across", optional=True),
    ),
    compression="zstd",
)
CURVES = Table(
    "model/curves.parquet",
    _EVALUATE,
    "ROC and precision-recall curves, with pointwise 95 % bands over people.",
    columns=(
        _SOURCE,
        _SPLIT,
        _text("curve", "roc, pr_female or pr_male"),
        _number("x", "roc: share of female taken for male; else: share of the label found", _SHARE),
        _number("y", "roc: share of male found; else: share of those called so that are", _SHARE),
        *_interval("y", _SHARE),
    ),
)
GROUPS = Table(
    "model/groups.parquet",
    _EVALUATE,
    "Test metrics of groups of people and attributes, of this run and of those that it was compared with.",
    columns=(
        _RUN,
        _SOURCE,
        _text("feature", "what groups differ in: label, age, race, style or an attribute"),
        _text("group", "value of the feature"),
        _IMAGES,
        _ACCURACY,
        *_interval("accuracy", _SHARE, "accuracy_"),
        _COVERAGE,
        _DECIDED,
        _number("selection_rate", "share of images answered by male", _SHARE),
        _number("false_male_rate", "share of those labelled female that are answered by male", _SHARE),
        _number("false_female_rate", "share of those labelled male that are answered by female", _SHARE),
        _number("gap", "accuracy behind the best group of the feature", "-1 to 1"),
        *_interval("gap", "-1 to 1", "gap_"),
    ),
)
CROSS_SOURCE = Table(
    "model/cross_source.parquet",
    _EVALUATE,
    "Test metrics of this run, and of those that it was compared with, on each source.",
    columns=(
        _RUN,
        _text("trained_on", "data sets that the run was trained on"),
        _SOURCE,
        _IMAGES,
        _ACCURACY,
        *_interval("accuracy", _SHARE),
        _number("ece", "expected calibration error", _SHARE),
        _COVERAGE,
        _DECIDED,
    ),
)
PAIRED = Table(
    "model/paired.parquet",
    _EVALUATE,
    "This run and each that it was compared with, image by image on the same test images: who gained, who lost.",
    columns=(
        _text("run", "the run that this one was compared with"),
        _SOURCE,
        _text("feature", "all (everybody), or what groups differ in: label, age, race, style, part or an attribute"),
        _text("group", "all, or value of the feature"),
        _IMAGES,
        _count("people", "people on them; an image without identity counts as a person"),
        _count("gained", "images that only this run has right"),
        _count("lost", "images that only the other run has right"),
        _count("people_gained", "people of whom this run has more photos right"),
        _count("people_lost", "people of whom the other run has more photos right"),
        _number("difference", "accuracy of this run minus that of the other", "-1 to 1"),
        *_interval("difference", "-1 to 1"),
        _number("p_value", "exact sign test of `people_gained` against `people_lost`", _SHARE),
    ),
)
PEERS = Table(
    "model/peers.parquet",
    "make peers RUN=NAME",
    "This model beside another package that can be installed, on the same test photos: whole photo in, answer out.",
    "where present",
    columns=(
        _text("system", "meanface, or the other package with its version and how it was asked"),
        _SOURCE,
        _text("feature", "all (everybody), or what groups differ in: label, age, race, style, part or an attribute"),
        _text("group", "all, or value of the feature"),
        _count("images", "number of photos"),
        _number("found", "share of photos in which it finds a face", _SHARE),
        _number("accuracy", "share of these that is answered rightly; missing where it finds fewer than 20", _SHARE),
        *_interval("accuracy", _SHARE),
        _count("shared", "photos in which meanface finds a face, too; missing for meanface"),
        _number("difference", "accuracy of meanface minus its own on these", "-1 to 1"),
        *_interval("difference", "-1 to 1", "difference_"),
        _number("p_value", "exact sign test over people of the difference", _SHARE),
        _number("milliseconds", "median time of a 250 x 250 photo on one core", "milliseconds"),
        _text("sha256", "checksum of the serving file that was measured"),
    ),
)
CELLS = Table(
    "model/cells.parquet",
    _EVALUATE,
    "Test accuracy of each age, race and label together, cells of 16 faces or more.",
    columns=(
        _SOURCE,
        _text("age", "age band in years; missing where the source does not say"),
        _text("race", "race as annotated; missing where the source does not say"),
        _LABEL,
        _IMAGES,
        _count("people", "people on them; an image without identity counts as a person"),
        _ACCURACY,
        _number("low", "lower end of its interval; those of all cells of the source hold at once with 95 %", _SHARE),
        _number("high", "upper end of it", _SHARE),
    ),
)
PROMISE = Table(
    "model/promise.parquet",
    _EVALUATE,
    "Whether decided cases are right as often as promised, for each source and group, on validation and test images.",
    "where present",
    columns=(
        _text("source", "data set"),
        _text("split", "validation or test"),
        _text("feature", "all, ages (that the band is chosen for), answer, label, style, part, age or race"),
        _text("group", "value of the feature"),
        _IMAGES,
        _count("decided", "images that are decided"),
        _count("right", "decided images that are right"),
        _number("accuracy", "their share; missing where none is decided", _SHARE),
        _number("low", "lower bound of it that holds with 95 % confidence, photos taken as independent", _SHARE),
        _number("high", "upper bound of it that holds with 95 % confidence", _SHARE),
    ),
)
MIDDLE = Table(
    "model/middle.parquet",
    _EVALUATE,
    "Images whose probability of male is between 20 and 80 %, and in the thirds of that range.",
    columns=(
        _SOURCE,
        _SPLIT,
        _number("left", "lower end of the range", _SHARE),
        _number("right", "upper end of the range", _SHARE),
        _count("images", "images that score there"),
        _count("people", "people on them; an image without identity counts as a person"),
        _number("share", "their share of the split's images", _SHARE),
        _number("probability", "their mean probability of male; missing without an image", _SHARE),
        _number("male", "share of them that is labelled male", _SHARE),
        *_interval("male", _SHARE),
    ),
)
ROBUSTNESS = Table(
    "model/robustness.parquet",
    _EVALUATE,
    "Accuracy on degraded photos.",
    columns=(
        _SOURCE,
        _text("degradation", "how photos are made worse"),
        _text("unit", "unit of `level`"),
        _number("level", "how much", "`unit`"),
        _flag("intact", "whether this level leaves photos as they are"),
        _IMAGES,
        _ACCURACY,
        *_interval("accuracy", _SHARE),
    ),
)
DEGRADED = Arrays(
    "model/degraded.zarr.zip",
    _EVALUATE,
    "A composite face at each severity of each degradation: what the levels of robustness.parquet look like.",
    variables=(
        Variable("face", ("picture", *_FACE), "the composite, made worse", "0 to 255"),
        Variable("degradation", ("picture",), "how it is made worse"),
        Variable("level", ("picture",), "how much, in the unit that robustness.parquet gives"),
        Variable("intact", ("picture",), "whether this level leaves it as it is"),
        _RGB,
    ),
)
LABEL_ISSUES = Table(
    "model/label_issues.parquet",
    _EVALUATE,
    "Labels that confident learning doubts on the model's scores; never the image.",
    columns=(
        _SOURCE,
        _text("image_id", "name of the image in its data set"),
        _SPLIT,
        _text("given", "label as given"),
        _text("suggested", "the other label"),
        _number("self_confidence", "probability of the given label", _SHARE),
    ),
)
EXPLANATION = Arrays(
    "model/explanation.zarr.zip",
    _EVALUATE,
    "Where the model looks, over average faces, and how that was checked.",
    variables=(
        Variable("heat", ("label", "y", "x"), "average heat map of faces predicted so"),
        Variable("face", ("label", *_FACE), "their average", _SHARE),
        Variable("count", ("label",), "faces averaged"),
        Variable("probability", ("walk", "order", "share"), "mean probability of the answer", _SHARE),
        Variable("area", ("walk", "order"), "area under `probability`", _SHARE),
        Variable("advantage", ("walk", "order"), "by how much the explanation's order is better", "-1 to 1"),
        Variable("advantage_low", ("walk", "order"), "lower end of its 95 % interval", "-1 to 1"),
        Variable("advantage_high", ("walk", "order"), "upper end of it", "-1 to 1"),
        Variable("label", ("label",), "predicted label"),
        Variable("walk", ("walk",), "deletion or insertion of pixels"),
        Variable("order", ("order",), "by the explanation, centre first, or random patches"),
        Variable("share", ("share",), "share of pixels deleted or inserted", _SHARE),
        _RGB,
    ),
)
CARD = Json("model/model.json", _EVALUATE, "What is needed to read the serving file.", record=Card)
SERVING_FILE = Binary("model/model.onnx", _TRAIN, "The serving file, ONNX: picture in, logit of male out.")
WEIGHTS = Binary(
    "model/model.keras",
    _TRAIN,
    "The network with float weights, Keras; published below 10 MB.",
    "where present",
    largest=10_000_000,
)

ABLATION = Table(
    "ablation/ablation.parquet",
    _ABLATE,
    "Accuracy on the validation splits when one thing about training is changed.",
    "where present",
    columns=(
        _text("variant", "what was changed"),
        _text("dataset", "data set that was scored"),
        _IMAGES,
        _ACCURACY,
        _number("log_loss", "log loss", "nats per image"),
        _number("difference", "accuracy minus that of the defaults; missing for these", "-1 to 1"),
        *_interval("difference", "-1 to 1"),
        _number("seconds", "time of the training", "seconds"),
        _count("parameters", "parameters of the network"),
    ),
)
ABLATION_BUDGET = Json(
    "ablation/ablation.json", _ABLATE, "What each variant was trained with.", "where present", record=AblationRecord
)
ABLATION_SCORES = Json(
    "ablation/scores.json", _ABLATE, "What is finished of an ablation, to resume from.", "never", record=AblationScores
)
LEARNING = Table(
    "learning/curve.parquet",
    _CURVE,
    "Accuracy on the validation splits after training from random weights on more and more faces.",
    "where present",
    columns=(
        _count("faces", "faces to learn from"),
        _count("repeat", "number of the repeat, from 0"),
        _text("dataset", "data set that was scored"),
        _IMAGES,
        _ACCURACY,
        *_interval("accuracy", _SHARE),
        _number("log_loss", "log loss", "nats per image"),
        _number("seconds", "time of the training", "seconds"),
    ),
)
LEARNING_RECORD = Json(
    "learning/learning.json",
    _CURVE,
    "What the trainings of the learning curve have in common, and the power law that they follow.",
    "where present",
    record=LearningRecord,
)
LEARNING_SCORES = Json(
    "learning/scores.json",
    _CURVE,
    "What is finished of a learning curve, to resume from.",
    "never",
    record=LearningScores,
)
SEARCH = Table(
    "search/search.parquet",
    _SEARCH,
    "Finished trials of the hyper-parameter search.",
    "where present",
    columns=(
        _count("trial", "number of the trial, from 0"),
        _text("state", "complete, pruned or fail"),
        _number("value", "log loss on the validation split", "nats per image"),
        _ACCURACY,
        _number("seconds", "time of the trial", "seconds"),
    ),
    further="one column per hyper-parameter with its value",
)
SEARCH_RECORD = Json(
    "search/search.json",
    _SEARCH,
    "How hyper-parameters were searched, and what was found.",
    "where present",
    record=SearchRecord,
)

RELIABILITY = Json(
    "reliability.json",
    "make torture",
    "What the long tests of reliability tried and found: broken photos, requests, memory, kills.",
    "stays",
    record=ReliabilityRecord,
)

ARTIFACTS: tuple[Artifact, ...] = tuple(value for value in globals().values() if isinstance(value, Artifact))
