from . import architecture, augment, export, head, quantise, recipe, sampler, search, stages, strategies, style, train
from .ablation import Variant, ablate, variants
from .architecture import Architecture
from .augment import Augmentation
from .examples import Faces, known_people, load_split, source_names
from .train import Training

__all__ = [
    "Architecture",
    "Augmentation",
    "Faces",
    "Training",
    "Variant",
    "ablate",
    "architecture",
    "augment",
    "export",
    "head",
    "known_people",
    "load_split",
    "quantise",
    "recipe",
    "sampler",
    "search",
    "source_names",
    "stages",
    "strategies",
    "style",
    "train",
    "variants",
]
