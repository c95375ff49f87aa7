"""Where credentials for Kaggle lie, in the order in which Kaggle's package takes them, and what is wrong with them.

Knows nothing of the package: it uses credentials when it is imported, so that they are looked at before. Nothing of
what they are gets into a message.
"""

import json
import os
import re
import sys
from pathlib import Path

from analysis.core.errors import UserError

HELP = (
    'open kaggle.com -> Settings -> API -> "Create New Token", then put kaggle.json at ~/.kaggle/kaggle.json '
    "(chmod 600), or the token alone in ~/.kaggle/access_token or KAGGLE_API_TOKEN, "
    "or set KAGGLE_USERNAME and KAGGLE_KEY"
)

_TOKEN, _USERNAME, _KEY = "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"
_TOKEN_FILES = ("access_token", "access_token.txt")
_IN_A_HEADER = re.compile(r"[!-~]+")
_IN_A_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750
_LONGEST = 255  # characters: the package asks the system for a file of the token's name, which may not be longer
_MARKS = {b"\xef\xbb\xbf": "begins with a byte order mark", b"\xff\xfe": "is UTF-16", b"\xfe\xff": "is UTF-16"}


def check_credentials() -> None:
    """Refuse credentials over which Kaggle's package would trip, or that it could not send.

    Raises
    ------
    UserError
        It names the file or variable, what is wrong with it, and where credentials come from.
    """
    if problem := _problem():
        raise UserError(f"{problem}: {HELP}")


def refused(status: int | None = None) -> UserError:
    """Make the error for credentials that Kaggle does not take; it names the place of those that were used."""
    place = next(iter(places()), None)
    if status:
        return UserError(f"Kaggle refuses the credentials{f' in {place}' if place else ''} ({status}): {HELP}")
    if place:
        return UserError(f"Kaggle refuses the token in {place}, it is wrong or has expired: {HELP}")
    return UserError(f"Kaggle asks for credentials{_half_of_a_pair()}: {HELP}")


def places() -> list[str]:
    """Where credentials lie, the first of them being those that the package takes."""
    folder = Path("~/.kaggle").expanduser()
    found = tokens()
    if os.environ.get(_USERNAME) and os.environ.get(_KEY):
        found.append(f"{_USERNAME} and {_KEY}")
    elif key_file().exists() and not any(_problem_with_key_file(key_file())):
        found.append(str(key_file()))
    return found + [str(folder / "credentials.json")] * (folder / "credentials.json").is_file()


def tokens() -> list[str]:
    """Where tokens lie, which the package takes before user name and key."""
    places = []
    if token := os.environ.get(_TOKEN):
        places.append(f"the file that {_TOKEN} names, {token}" if _names_file(token) else _TOKEN)
    folder = Path("~/.kaggle").expanduser()
    return places + [str(folder / name) for name in _TOKEN_FILES if (folder / name).is_file()]


def key_file() -> Path:
    """Where the package looks for its kaggle.json."""
    folder = Path("~/.kaggle").expanduser()
    if named := os.environ.get("KAGGLE_CONFIG_DIR"):
        folder = Path(named)
    elif sys.platform.startswith("linux") and not folder.exists():
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "kaggle"
    return folder / "kaggle.json"


def _problem() -> str | None:
    """What is wrong with the credentials, the first to be taken first; None if nothing is, or if there are none."""
    token = os.environ.get(_TOKEN)
    if token and (problem := _problem_with_variable(token)):
        return problem
    if not token:
        for name in _TOKEN_FILES:
            file = Path("~/.kaggle").expanduser() / name
            if problem := _problem_with_token_file(file):
                return f"{file} {problem}"
            if file.is_file():
                break  # the package takes this one, and looks no further
    pair = {} if tokens() else {name: os.environ[name] for name in (_USERNAME, _KEY) if os.environ.get(name)}
    for name, value in pair.items():
        if not _IN_A_HEADER.fullmatch(value):
            return f"{name} holds a space, a line break or a letter that no {name[7:].lower()} has"
    # Over a file that is no table of values the package trips, whatever else there is.
    problem, lacks = _problem_with_key_file(key_file())
    return f"{key_file()} {problem}" if problem and not (lacks and places()) else None


def _half_of_a_pair() -> str:
    for given, other in ((_USERNAME, _KEY), (_KEY, _USERNAME)):
        if os.environ.get(given) and not os.environ.get(other):
            return f", {given} is set, but {other} is not"
    return ""


def _names_file(token: str) -> bool:
    return len(token) <= _LONGEST and "\0" not in token and Path(token).exists()


def _problem_with_variable(token: str) -> str | None:
    if _names_file(token):
        problem = _problem_with_token_file(Path(token))
        return f"{_TOKEN} names {token}, which {problem}" if problem else None
    if re.match(r"[/~.\\]|[A-Za-z]:\\", token):
        return f"{_TOKEN} names {token}, and nothing is there"
    if len(token) > _LONGEST:
        return f"{_TOKEN} has {len(token):,} characters, more than a token may have"
    problem = _problem_with_token(token)
    return f"{_TOKEN} {problem}" if problem else None


def _problem_with_token(token: str) -> str | None:
    if not token.strip():
        return "is blank"
    if token.lstrip()[0] in "{[":
        return "holds what belongs in kaggle.json, and not a token alone"
    if not _IN_A_TOKEN.fullmatch(token):
        return "holds something other than a token, such as quotation marks, a space or a line break"
    return None


def _problem_with_token_file(file: Path) -> str | None:
    """What is wrong with a file that should hold a token alone; None if it may be one, or if there is none."""
    content, problem = _content(file)
    if problem or content is None:
        return problem
    text = content.decode("utf-8", "replace").strip()
    return _problem_with_token(text) if text else "is empty"


def _problem_with_key_file(file: Path) -> tuple[str | None, bool]:
    """What is wrong with a kaggle.json, and whether that matters only where nothing else is used."""
    content, problem = _content(file)
    if problem or content is None:
        return problem, False
    try:
        return _problem_with_facts(json.loads(content))
    except ValueError:
        if _IN_A_TOKEN.fullmatch(content.decode("utf-8", "replace").strip()):
            return f"holds a token alone, which belongs in {file.with_name('access_token')}", False
        return "is damaged or cut short" if content.strip() else "is empty", False


def _problem_with_facts(facts: object) -> tuple[str | None, bool]:
    if not isinstance(facts, dict):
        return f"holds a {'list' if isinstance(facts, list) else 'single value'}, where user name and key belong", False
    if missing := [name for name in ("username", "key") if not facts.get(name)]:
        return f"lacks {' and '.join(missing)}", True
    for name in ("username", "key"):
        if not isinstance(facts[name], str) or not _IN_A_HEADER.fullmatch(facts[name]):
            return f"holds something under {name} that is none, such as a number, a space or a line break", True
    return None, False


def _content(file: Path) -> tuple[bytes | None, str | None]:
    """Content of a file, None if there is none, and what keeps it from being read."""
    try:
        if not file.exists():
            return None, None
        if file.is_dir():
            return None, "is a folder, where Kaggle's file belongs"
        if not file.is_file():  # the package reads it twice, and would wait for what comes through a pipe
            return None, "is no file: put one there"
        content = file.read_bytes()
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"
    mark = next((said for start, said in _MARKS.items() if content.startswith(start)), None)
    return content, f"{mark}, which Kaggle's package cannot read: save it as UTF-8 without a mark" if mark else None
