"""A map of faces, on which those lie together that the network sees alike.

What the network's last layer reads, a few hundred numbers per face, is laid out in two dimensions by t-SNE (van der
Maaten and Hinton, "Visualizing data using t-SNE", Journal of Machine Learning Research 9, 2008; Linderman et al., "Fast
interpolation-based t-SNE for improved visualization of single-cell RNA-seq data", Nature Methods 16, 2019). Neighbours
mean something on such a map, distances between far places do not; how many neighbours it keeps is measured.
"""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from openTSNE import TSNE
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from analysis.core.schema import SPLITS
from analysis.data.dataset import Dataset
from analysis.results.records import MapRecord
from model.predict import Predictor, window
from model.training.examples import load_split

NEIGHBOURS = 15  # of a face, whose preservation is measured
_ASKED = 2000  # faces whose neighbours are looked up
_COMPONENTS = 32  # of the features, by PCA: 94 % of the variance, and neighbours are found in a third of the time
_PERPLEXITY = 30
_EXAGGERATION = 1.5  # draws groups a little closer together than t-SNE alone, so that they show among many faces
_BATCH = 64
_LAST = ("Gemm", "MatMul")


def last_features(predictor: Predictor, faces: np.ndarray) -> np.ndarray:
    """What the last layer of the serving file reads.

    Parameters
    ----------
    predictor
        A predictor that was made from a file.
    faces
        uint8 (n, 109, 89, 3), RGB, faces in the frame.

    Returns
    -------
    numpy.ndarray
        float32 (n, feature); the mean over the layers that the answer is made of, such as one of the face and one of
        its mirror image.
    """
    session, names = _with_features(predictor.content[1])
    seen = window(faces, predictor.card.input.height, predictor.card.input.width)
    given = session.get_inputs()[0].name
    parts = [
        np.mean(session.run(names, {given: seen[start : start + _BATCH].astype(np.float32)}), axis=0)
        for start in range(0, len(seen), _BATCH)
    ]
    return np.concatenate(parts).reshape(len(faces), -1).astype(np.float32)


def _with_features(content: bytes) -> tuple[onnxruntime.InferenceSession, list[str]]:
    """Session of a serving file that also gives what its last layers read, and the names of these outputs."""
    model = onnx.load_from_string(content)
    made_by = {output: node for node in model.graph.node for output in node.output}
    names: list[str] = []
    todo, seen = [model.graph.output[0].name], set()
    while todo:  # back from the answer to the layers that it is made of
        name = todo.pop()
        if name in seen or name not in made_by:
            continue
        seen.add(name)
        node = made_by[name]
        if node.op_type not in _LAST:
            todo.extend(node.input)
        elif node.input[0] not in names:
            names.append(node.input[0])
    outputs = {output.name for output in model.graph.output}
    for name in names:
        if name not in outputs:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]), names


def map_features(features: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, MapRecord]:
    """Lay features out in two dimensions.

    Parameters
    ----------
    features
        float32 (n, feature), of 16 faces or more.
    seed
        Random seed.

    Returns
    -------
    places : numpy.ndarray
        float32 (n, 2), to a tenth.
    record : MapRecord
        How the map was made and how many neighbours it keeps.
    """
    reduced = PCA(min(_COMPONENTS, *features.shape), random_state=seed).fit_transform(features)
    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
    places = TSNE(perplexity=perplexity, exaggeration=_EXAGGERATION, random_state=seed, n_jobs=-1).fit(
        np.asarray(reduced, dtype=np.float64)
    )
    rounded = np.asarray(places).round(1).astype(np.float32)
    asked = np.random.default_rng(seed).permutation(len(features))[:_ASKED]
    count = min(NEIGHBOURS, len(features) - 1)

    def nearest(space: np.ndarray) -> np.ndarray:
        found = NearestNeighbors(n_neighbors=count + 1).fit(space).kneighbors(space[asked], return_distance=False)
        # A face itself is left out, also where others lie on the same place.
        return np.stack([[each for each in row if each != own][:count] for own, row in zip(asked, found, strict=True)])

    pairs = zip(nearest(features), nearest(np.asarray(places)), strict=True)
    kept = float(np.mean([len(np.intersect1d(one, other)) / count for one, other in pairs]))
    record = MapRecord(
        method="t-SNE",
        images=len(features),
        features=features.shape[1],
        perplexity=float(perplexity),
        seed=seed,
        neighbours=count,
        kept=kept,
        by_chance=count / (len(features) - 1),
    )
    return rounded, record


def face_map(predictor: Predictor, datasets: Sequence[Dataset], *, seed: int = 0) -> tuple[np.ndarray, MapRecord]:
    """Map all usable faces of data sets; rows follow `model.evaluation.scores.score_splits`.

    Parameters
    ----------
    predictor
        The serving file.
    datasets
        Ingested data sets.
    seed
        Random seed.

    Returns
    -------
    tuple
        As `map_features`.
    """
    parts = []
    for split in tqdm(SPLITS, desc="Mapping", unit="split"):
        parts.append(last_features(predictor, load_split(datasets, split).pixels))
    return map_features(np.concatenate(parts), seed=seed)
