"""Quantises a serving file to 8 bits: a quarter of the bytes, and less than half of the time."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

CALIBRATION = 256  # faces from which the ranges of activations are read; twice as many change no answer
_BATCH = 16
_FEATURES = ("GlobalAveragePool", "Reshape")  # what makes features of a picture: its mean, or all of its places


class _Pictures(CalibrationDataReader):
    """Feeds pictures to the quantiser."""

    def __init__(self, name: str, pictures: np.ndarray) -> None:
        parts = range(0, len(pictures), _BATCH)
        self._left = iter([{name: pictures[start : start + _BATCH].astype(np.float32)} for start in parts])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def quantise(source: Path, target: Path, pictures: np.ndarray) -> None:
    """Write a network with weights and activations of 8 bits, but for what follows its features.

    The features and the last layer cost nothing and stay in float: in 8 bits the score would have 255
    levels.

    Post-training quantisation with a scale for each channel of the weights (Krishnamoorthi, "Quantizing deep
    convolutional networks for efficient inference", 2018). Weights use 7 of their 8 bits: on processors without VNNI
    two products of 8 bits are added in 16, which overflows.

    Parameters
    ----------
    source
        ONNX file, float32 (n, height, width, 3) in [0, 255] -> (n, 1).
    target
        Where the file goes; it reads and answers as the source does.
    pictures
        (n, height, width, 3) in [0, 255], of the kind that the network will see; some are drawn, the same each time.
    """
    rng = np.random.default_rng(0)
    chosen = pictures[np.sort(rng.permutation(len(pictures))[:CALIBRATION])]
    name = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"]).get_inputs()[0].name
    prepared = target.with_suffix(".prepared.onnx")
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)  # all shapes but the batch's are fixed
        quantize_static(
            prepared,
            target,
            _Pictures(name, chosen),
            quant_format=QuantFormat.QDQ,
            nodes_to_exclude=_after_features(prepared),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        prepared.unlink(missing_ok=True)


def _after_features(path: Path) -> list[str]:
    """Names of the nodes that make features of the picture, and of all that depend on them."""
    outputs: set[str] = set()
    names = []
    for node in onnx.load(path).graph.node:  # in the order of computation
        if node.op_type in _FEATURES or outputs & set(node.input):
            outputs |= set(node.output)
            names.append(node.name)
    return names
