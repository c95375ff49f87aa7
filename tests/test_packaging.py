"""What is built from the repository: a wheel that works without the checkout."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from analysis.core.paths import PROJECT

PACKAGES = ("analysis", "dashboard", "model")
# Read from a checkout's root or from the package data.
SHIPPED = ("_quarto.yml", "CITATION.cff", "results", "site", "tools/assets.py", "tools/finish.py")
PROJECT_FACTS = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]


def run(*command: str, **options) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_of(name: str) -> list[Path]:
    path = PROJECT / name
    files = [path] if path.is_file() else path.rglob("*")
    built = {"__pycache__", "bokeh"}  # compiled code, and BokehJS where Quarto was run in the checkout itself
    return [file for file in files if file.is_file() and not built & set(file.relative_to(PROJECT).parts)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=PROJECT)
    (built,) = folder.iterdir()
    return built


def test_version_option_prints_the_version_and_succeeds() -> None:
    assert run("-m", "meanface", "--version", cwd=PROJECT) == f"meanface {version('meanface')}\n"


def test_changelog_and_citation_name_the_version_and_its_date() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## \[(\d\S*)\] - (\S+)$", changelog, re.MULTILINE)
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text("utf-8"))
    assert released[0] == (PROJECT_FACTS["version"], citation["date-released"])
    assert citation["version"] == PROJECT_FACTS["version"]


def test_code_and_results_carry_a_licence_each(wheel: Path) -> None:
    licences = [name.split("/licenses/")[1] for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name]
    assert sorted(licences) == ["LICENSE", "results/LICENSE"]
    assert (PROJECT / "LICENSE").read_text("utf-8").rstrip().endswith("SOFTWARE.")  # MIT alone, as detectors want it
    assert "non-commercial research" in (PROJECT / "results" / "LICENSE").read_text("utf-8")


def test_wheel_holds_code_pages_and_published_results(wheel: Path) -> None:
    expected = {"meanface.py"}
    for name in PACKAGES:
        expected |= {file.relative_to(PROJECT).as_posix() for file in files_of(name)}
    for name in SHIPPED:
        expected |= {f"analysis/_shipped/{file.relative_to(PROJECT).as_posix()}" for file in files_of(name)}
    assert {"analysis/demo-faces.zip", "analysis/_shipped/results/run.json"} <= expected
    contents = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert contents == expected


def test_editable_install_puts_none_of_the_project_s_files_among_the_packages(tmp_path: Path) -> None:
    code = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    run("-c", code, str(tmp_path), cwd=PROJECT)
    (editable,) = tmp_path.iterdir()
    files = [name for name in zipfile.ZipFile(editable).namelist() if ".dist-info/" not in name]
    assert files == ["_meanface.pth"]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which Python finds the wheel's packages first; its user has an empty data folder."""
    target = tmp_path_factory.mktemp("site-packages")
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEANFACE_")}
    user = tmp_path_factory.mktemp("user")
    return environment | {
        "PYTHONPATH": str(target),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(user),
        "XDG_DATA_HOME": str(user / "data"),
    }


@pytest.mark.slow
def test_installed_from_a_wheel_every_command_finds_what_it_needs(installed: dict[str, str], tmp_path: Path) -> None:
    elsewhere, target = tmp_path / "elsewhere", Path(installed["PYTHONPATH"])
    elsewhere.mkdir()
    before = sorted(target.rglob("*"))

    def meanface(*arguments: str) -> str:
        return run("-m", "meanface", *arguments, cwd=elsewhere, env=installed)

    assert meanface("--version") == f"meanface {PROJECT_FACTS['version']}\n"
    meanface("fetch", "demo")
    home = run("-c", "from analysis.core import paths; print(paths.home())", cwd=elsewhere, env=installed).strip()
    assert Path(home).is_relative_to(installed["HOME"])
    assert (Path(home) / "data" / "demo" / "source.json").exists()

    with zipfile.ZipFile(target / "analysis" / "demo-faces.zip") as demo:
        photo = next(name for name in demo.namelist() if name.endswith((".jpg", ".png")))
        (elsewhere / "photo.jpg").write_bytes(demo.read(photo))
    assert "male" in meanface("predict", "photo.jpg")

    meanface("report", "--renderer", "embedded")
    assert (Path(home) / "_site" / "site" / "metrics.html").exists()
    assert sorted(target.rglob("*")) == before, "an installed package is not written to"
    assert [file.name for file in elsewhere.iterdir()] == ["photo.jpg"]
