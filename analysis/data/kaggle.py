"""Downloads files of a Kaggle data set with Kaggle's own package.

The package resumes an interrupted download, within one call and in a later one. Its output is suppressed, so that no
credential reaches the screen.
"""

import contextlib
import errno
import io
import json
import logging
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from analysis.core import storage
from analysis.core.errors import UserError
from analysis.data import contents
from analysis.data.archives import first_bytes
from analysis.data.kaggle_credentials import check_credentials, key_file, refused, tokens

_log = logging.getLogger(__name__)


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
    if zipfile.is_zipfile(target):
        return target
    if target.is_dir():
        raise UserError(f"{target} is a folder, where the archive belongs: remove it")
    storage.check_writable(target)
    with _errors_explained(dataset):
        api = _authenticated()  # before anything is made on disk
        if tokens() and "token" not in api.config_values:  # the package goes on to user name and key without a word
            _log.warning("Kaggle refuses the token in %s; user name and key are used", tokens()[0])
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
    storage.check_writable(target)
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
        what = contents.mistaken(first_bytes(downloaded)) or "is no zip archive: run the same command again"
        shutil.rmtree(part)
        raise UserError(f"what Kaggle sent for {target.name} {what}")
    if zipped and target.suffix != ".zip":
        with zipfile.ZipFile(downloaded) as archive:
            unpacked = Path(archive.extract(archive.namelist()[0], part / "unpacked"))
        unpacked.rename(target)
    else:
        downloaded.rename(target)


def _authenticated() -> Any:
    check_credentials()
    # The package authenticates when it is imported: it may print instructions, ask the network, or exit.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise UserError('downloading needs the kaggle package: pip install "meanface[train]"') from None
        except OSError as error:
            raise UserError(
                f"{key_file().parent}, where Kaggle's package keeps its settings, cannot be made ({error.strerror}): "
                "name a folder that can be written to as KAGGLE_CONFIG_DIR"
            ) from None
        api = KaggleApi()
        # With VERBOSE in the environment, the package prints every request with its credentials.
        api.args = [argument for argument in api.args if argument != "--verbose"]
        try:
            api.authenticate()
        except SystemExit:
            raise refused() from None
    return api


@contextlib.contextmanager
def _errors_explained(dataset: str) -> Iterator[None]:
    """Turn what can go wrong on the way into one line; what the package says may hold signed addresses."""
    again = "then run the same command again: it resumes where it stopped"
    try:
        yield
    except requests.exceptions.HTTPError as error:
        raise _answer_explained(error, dataset, again) from None
    except json.JSONDecodeError:
        raise UserError(
            f"something other than Kaggle answered, such as the sign-in page of a network: check the network, {again}"
        ) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
        raise UserError(f"Kaggle cannot be reached: check the network, {again}") from None
    except (requests.exceptions.RequestException, ValueError):
        raise UserError(f"the download of {dataset} broke off: check the network and its proxy, {again}") from None
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or type(error).__name__
        raise UserError(f"the download of {dataset} cannot be written ({reason}): mend that, {again}") from None


def _answer_explained(error: requests.exceptions.HTTPError, dataset: str, again: str) -> UserError:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        return refused(status)
    if error.response is not None and error.response.history:  # Kaggle has let the request pass, to its storage
        return UserError(f"the storage that Kaggle names answered with status {status}: wait some minutes, {again}")
    return UserError(
        {
            403: f"Kaggle refuses access to {dataset} (403): sign in, open "
            f"https://www.kaggle.com/datasets/{dataset} and accept its terms, {again}",
            404: f"Kaggle has no data set {dataset} (404): check its name, owner/data-set",
            429: f"Kaggle asks for a pause (429): wait some minutes, {again}",
        }.get(status, f"Kaggle answered with status {status}: wait some minutes, {again}")
    )
