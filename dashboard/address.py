"""The query of a page's address, which carries its state: what is not its default, and nothing else.

Panel's own `Location.sync` writes every parameter, leaves a bad value where it is, and keeps what a shorter address no
longer names, so that going back would change nothing.
"""

import math
from collections.abc import Collection, Iterable
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl, urlencode

import param


@runtime_checkable
class Settled(Protocol):
    """A page that knows which values of an address mean nothing beside others."""

    def spoilt(self, values: dict[str, Any], refused: set[str]) -> Collection[str]:
        """Name the parameters that are to keep their defaults, given all values and those that were not valid."""


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
    values, refused = {}, set()
    for name in names:
        values[name] = defaults[name]
        if name in given:
            try:
                values[name] = _value(page.param[name], given[name])
            except ValueError:
                refused.add(name)
    for name in _spoilt(page, values, refused):
        values[name] = defaults[name]
    return values


def write(page: param.Parameterized, names: Iterable[str], defaults: dict[str, Any]) -> str:
    """Write a page's state as a query: parameters that differ from their defaults, "" if none does."""
    differing = {name: _text(getattr(page, name)) for name in names if getattr(page, name) != defaults[name]}
    return f"?{urlencode(differing)}" if differing else ""


def follow(page: param.Parameterized, names: Iterable[str], location: Any) -> None:
    """Keep a page and the address in the browser alike: whichever changes, the other follows.

    What a page is given that means nothing stays there, to be told what is wrong; an address never has it, so that
    going back leads past it.

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
        if not _spoilt(page, {name: getattr(page, name) for name in names}, set()):
            location.search = write(page, names, defaults)

    take()
    location.param.watch(take, "search")
    page.param.watch(give, list(names))


def _spoilt(page: param.Parameterized, values: dict[str, Any], refused: set[str]) -> Collection[str]:
    return page.spoilt(values, refused) if isinstance(page, Settled) else ()


def _value(parameter: param.Parameter, text: str) -> Any:
    if isinstance(parameter, param.ListSelector):
        wanted = text.split(",") if text else []
        if not set(wanted) <= set(parameter.objects):
            raise ValueError(f"{text} names what cannot be chosen")
        return wanted
    if isinstance(parameter, param.Selector) and (parameter.check_on_set or parameter.objects):
        for value in parameter.get_range().values():
            if _text(value) == text:
                return value
        raise ValueError(f"{text} cannot be chosen")
    value = _parsed(parameter, text)
    parameter._validate(value)
    return value


def _parsed(parameter: param.Parameter, text: str) -> Any:
    if isinstance(parameter, param.Boolean):
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text} is neither true nor false")
        return text.lower() == "true"
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
