"""The query of a page's address, which carries its state: what is not its default, and nothing else.

Panel's own `Location.sync` writes every parameter, leaves a bad value where it is, and keeps what a shorter address no
longer names, so that going back would change nothing.
"""

import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import param


def read(page: param.Parameterized, names: Iterable[str], query: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """Read a page's state from a query.

    Parameters
    ----------
    page
        The page.
    names
        Its parameters that an address carries.
    query
        As in an address, with or without the question mark.
    defaults
        Name -> value where the query names none that is valid.

    Returns
    -------
    dict of str to object
        Name -> value, valid for the page.
    """
    given = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    return {name: _value(page.param[name], given.get(name), defaults[name]) for name in names}


def write(page: param.Parameterized, names: Iterable[str], defaults: dict[str, Any]) -> str:
    """Write a page's state as a query: parameters that differ from their defaults, "" if none does."""
    differing = {name: _text(getattr(page, name)) for name in names if getattr(page, name) != defaults[name]}
    return f"?{urlencode(differing)}" if differing else ""


def follow(page: param.Parameterized, names: Iterable[str], location: Any) -> None:
    """Keep a page and the address in the browser alike: whichever changes, the other follows.

    Parameters
    ----------
    page
        The page.
    names
        Its parameters that the address carries; their values of now are the defaults.
    location
        Panel's: a `param.Parameterized` whose ``search`` is the query of the address.
    """
    names = tuple(names)
    defaults = {name: getattr(page, name) for name in names}

    def take(*events: Any) -> None:
        page.param.update(**read(page, names, location.search, defaults))
        give()

    def give(*events: Any) -> None:
        location.search = write(page, names, defaults)

    take()
    location.param.watch(take, "search")
    page.param.watch(give, list(names))


def _value(parameter: param.Parameter, text: str | None, default: Any) -> Any:
    if text is None:
        return default
    if isinstance(parameter, param.ListSelector):
        wanted = text.split(",") if text else []
        return wanted if set(wanted) <= set(parameter.objects) else default
    if isinstance(parameter, param.Selector) and (parameter.check_on_set or parameter.objects):
        return next((value for value in parameter.get_range().values() if _text(value) == text), default)
    try:
        value = _parsed(parameter, text)
        parameter._validate(value)
    except ValueError:
        return default
    return value


def _parsed(parameter: param.Parameter, text: str) -> Any:
    if isinstance(parameter, param.Boolean):
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else parameter.default
    if isinstance(parameter, param.Selector):
        return text
    if isinstance(parameter, param.Range):
        low, high = (float(end) for end in text.split(","))
        if not -math.inf < low <= high < math.inf:
            raise ValueError("a range has two finite ends, the lower one first")
        return low, high
    if isinstance(parameter, param.Integer):
        return int(text)
    if isinstance(parameter, param.Number):
        return float(text)
    return text


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
