"""Downloads files of a Kaggle data set with Kaggle's own package.

The package resumes an interrupted download, within one call and in a later one. Its output is suppressed, so that no
credential reaches the screen.
"""

import contextlib
import errno
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from analysis.core.errors import UserError

CREDENTIALS = (
    'open kaggle.com -> Settings -> API -> "Create New Token", then put kaggle.json at ~/.kaggle/kaggle.json '
    "(chmod 600), or the token alone in ~/.kaggle/access_token or KAGGLE_API_TOKEN, "
    "or set KAGGLE_USERNAME and KAGGLE_KEY"
)

_TOKEN_FILES = ("access_token", "access_token.txt")


def download_archive(dataset: str, folder: Path) -> Path:
    """Download a whole data set as one zip archive, or resume what an earlier call began.

    Parameters
    ----------
    dataset
        Kaggle's name for it, ``owner/data-set``.
    folder
        Where to put it; the unfinished part waits in ``DATA-SET.zip.part/``.

    Returns
    -------
    pathlib.Path
        ``folder/DATA-SET.zip``; where that is there already, nothing is fetched.

    Raises
    ------
    UserError
        Without the package, credentials, permission or network, or if Kaggle sends something other than a zip archive.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", dataset):
        raise UserError(f"{dataset!r} is not a valid name of a Kaggle data set: give it as owner/data-set")
    target = folder / f"{dataset.split('/')[1]}.zip"
    if target.exists():
        return target
    with _errors_explained(dataset):
        api = _authenticated()  # before anything is made on disk
        # The package prints addresses and errors on stdout; its progress bar is on stderr.
        with _part(target) as part, contextlib.redirect_stdout(io.StringIO()):
            api.dataset_download_files(dataset, path=str(part), quiet=False)
            _finish(part, target)
    return target


def download_file(dataset: str, name: str, folder: Path) -> Path:
    """Download one file of a data set; like `download_archive` in all else.

    Returns
    -------
    pathlib.Path
        ``folder/NAME``, unpacked if Kaggle sent it zipped.
    """
    target = folder / name
    if target.exists():
        return target
    with _errors_explained(dataset):
        api = _authenticated()
        with _part(target) as part, contextlib.redirect_stdout(io.StringIO()):
            api.dataset_download_file(dataset, name, path=str(part), quiet=False)
            _finish(part, target)
    return target


@contextlib.contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Folder of the unfinished download, which stays there after an error, to be resumed."""
    part = target.with_name(f"{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    yield part
    shutil.rmtree(part)


def _finish(part: Path, target: Path) -> None:
    """Move the downloaded file to its place after checking that it is complete."""
    (downloaded,) = (file for file in part.iterdir() if file.is_file() and file.suffix != ".kaggle-partial")
    zipped = zipfile.is_zipfile(downloaded)
    if target.suffix == ".zip" and not zipped:
        shutil.rmtree(part)
        raise UserError(f"Kaggle sent something other than a zip archive for {target.name}: run the same command again")
    if zipped and target.suffix != ".zip":
        with zipfile.ZipFile(downloaded) as archive:
            unpacked = Path(archive.extract(archive.namelist()[0], part / "unpacked"))
        unpacked.rename(target)
    else:
        downloaded.rename(target)


def _authenticated() -> Any:
    # The package authenticates when it is imported: it may print instructions, ask the network, or exit.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise UserError('downloading needs the kaggle package: pip install "meanface[train]"') from None
        api = KaggleApi()
        # With VERBOSE in the environment, the package prints every request with its credentials.
        api.args = [argument for argument in api.args if argument != "--verbose"]
        key_file = Path(api.config)
        for name in _TOKEN_FILES:  # the package reads them before all else
            token = Path("~/.kaggle").expanduser() / name
            if wrong := _problem_with_token(token):
                raise UserError(f"{token} {wrong}: {CREDENTIALS}")
        # Over a file that is no table of values the package trips, whatever else there is.
        problem, lacking = _problem_with(key_file)
        if problem and not (lacking and _places(key_file)):
            raise UserError(f"{key_file} {problem}: {CREDENTIALS}")
        try:
            api.authenticate()
        except SystemExit:
            place = next(iter(_places(key_file)), None)
            said = f"Kaggle refuses the token in {place}, it is wrong or has expired" if place else None
            raise UserError(f"{said or 'Kaggle asks for credentials'}: {CREDENTIALS}") from None
    return api


def _refused(key_file: Path) -> UserError:
    place = next(iter(_places(key_file)), None)
    return UserError(f"Kaggle refuses the credentials{f' in {place}' if place else ''} (401): {CREDENTIALS}")


def _places(key_file: Path) -> list[str]:
    """Where credentials lie, the first of them being those that the package takes; nothing of what they are."""
    home = Path("~/.kaggle").expanduser()
    places = []
    if token := os.environ.get("KAGGLE_API_TOKEN"):
        named = len(token) < 256 and Path(token).exists()  # a name may not be longer
        places.append(f"the file that KAGGLE_API_TOKEN names, {token}" if named else "KAGGLE_API_TOKEN")
    places += [str(home / name) for name in _TOKEN_FILES if (home / name).is_file()]
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        places.append("KAGGLE_USERNAME and KAGGLE_KEY")
    elif key_file.exists() and not any(_problem_with(key_file)):
        places.append(str(key_file))
    return places + [str(home / "credentials.json")] * (home / "credentials.json").is_file()


def _problem_with_token(file: Path) -> str | None:
    """What is wrong with a file that should hold a token alone; None if it may be one, or if there is none."""
    if not file.exists():
        return None
    if file.is_dir():
        return "is a folder, where Kaggle's token belongs"
    try:
        return None if file.read_bytes().strip() else "is empty"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _problem_with(key_file: Path) -> tuple[str | None, bool]:
    """What is wrong with a kaggle.json, without a word of what is in it, and whether it only lacks something."""
    if not key_file.exists():
        return None, False
    if key_file.is_dir():
        return "is a folder, where Kaggle's file with user name and key belongs", False
    try:
        facts = json.loads(key_file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"cannot be read ({error.strerror})", False
    except ValueError:
        return "is damaged or cut short" if key_file.stat().st_size else "is empty", False
    if not isinstance(facts, dict):
        return f"holds a {'list' if isinstance(facts, list) else 'single value'}, where user name and key belong", False
    missing = [name for name in ("username", "key") if not facts.get(name)]
    return (f"lacks {' and '.join(missing)}", True) if missing else (None, False)


def _key_file() -> Path:
    """Where the package looks for its kaggle.json, once it is imported."""
    from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415 - see `_authenticated`

    return Path(KaggleApi.config)


@contextlib.contextmanager
def _errors_explained(dataset: str) -> Iterator[None]:
    """Turn what can go wrong on the way into one line; what the package says may hold signed addresses."""
    again = "then run the same command again: it resumes where it stopped"
    try:
        yield
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else None
        raise UserError(
            {
                401: str(_refused(_key_file())),
                403: f"Kaggle refuses access to {dataset} (403): sign in, open "
                f"https://www.kaggle.com/datasets/{dataset} and accept its terms, {again}",
                404: f"Kaggle has no data set {dataset} (404): check its name, owner/data-set",
                429: f"Kaggle asks for a pause (429): wait some minutes, {again}",
            }.get(status or 0, f"Kaggle answered with status {status}: wait some minutes, {again}")
        ) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
        raise UserError(f"Kaggle cannot be reached: check the network, {again}") from None
    except (requests.exceptions.RequestException, ValueError):
        raise UserError(f"the download of {dataset} broke off: check the network, {again}") from None
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or type(error).__name__
        raise UserError(f"the download of {dataset} cannot be written ({reason}): mend that, {again}") from None
