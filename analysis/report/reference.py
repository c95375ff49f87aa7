"""The Python reference: what each wing exports, as Markdown that both renderers of the report understand.

Reads the docstrings and signatures in the packages' source and imports none of it, so that a page needs neither
TensorFlow nor a server. The ``__init__.pyi`` of a wing lists its public names.
"""

import ast
import contextlib
import re
from collections.abc import Iterator, Sequence
from functools import cache

import griffe
from IPython.display import Markdown

from analysis.core import paths

PAGES = {
    "data": ("analysis.core", "analysis.data", "analysis.results"),
    "study": ("analysis.study", "analysis.averages", "analysis.hypothesis", "analysis.shape"),
    "figures": ("analysis.figures",),
    "model": ("model", "model.training", "model.evaluation"),
    "dashboard": ("analysis.report", "dashboard", "dashboard.pages"),
}
"""Wings of each page of the reference, ``site/reference-PAGE.qmd``."""

_PACKAGES = ("analysis", "model", "dashboard")
_WIDTH = 88  # characters of a signature that stays on one line
_LISTS = {
    "parameters": "Parameters",
    "other parameters": "Other parameters",
    "attributes": "Attributes",
    "returns": "Returns",
    "yields": "Yields",
    "raises": "Raises",
}
_BLOCK = re.compile(r"((?:^ {4}.*\n?|^\n(?= {4}))+)", re.MULTILINE)  # indented code
_CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
_MARKUP = re.compile(r"([\\*_<>\[\]{}$@^~|#])")  # what Markdown would read as more than a character
_KEYWORDS = ("description", "doc")  # by which pydantic's fields and param's parameters are described


def overview() -> Markdown:
    """Summary of each wing, linked to its page."""
    rows = [
        f"| [`{wing}`](reference-{page}.qmd#{wing}) | {_summary(_source()[wing])} |"
        for page, wings in PAGES.items()
        for wing in wings
    ]
    return Markdown("\n".join(["| | |", "|:-------|:----------------------|", *rows]))


def reference(page: str) -> Markdown:
    """Reference of everything that the wings of a page export.

    Parameters
    ----------
    page
        A key of `PAGES`.
    """
    return Markdown("\n\n".join(block for wing in PAGES[page] for block in _wing(wing)) + "\n")


@cache
def _source() -> griffe.ModulesCollection:
    """Parse the source of the packages, once per process."""
    loader = griffe.GriffeLoader(search_paths=[paths.PACKAGES], docstring_parser="numpy", allow_inspection=False)
    for package in _PACKAGES:
        loader.load(package)
    return loader.modules_collection


@cache
def _anchors() -> dict[str, str]:
    """Address of every documented entry, by each name that docstrings and code use for it."""
    anchors: dict[str, str] = {}
    for page, wings in PAGES.items():
        for wing in wings:
            anchors[wing] = f"reference-{page}.qmd#{wing}"
            for path, entry, _ in _entries(wing):
                anchors[path] = anchors[entry.canonical_path] = f"reference-{page}.qmd#{path}"
    return anchors


def _entries(wing: str) -> Iterator[tuple[str, griffe.Object, int]]:
    """Path, object and depth of everything that a wing exports; members follow their class or module."""
    package = _source()[wing]
    exported = [name for name in package.exports or () if f"{wing}.{name}" not in _wings()]
    alone = {_target(package[name]).path for name in exported}
    for name in exported:
        yield from _with_members(f"{wing}.{name}", _target(package[name]), 0, alone)


def _with_members(
    path: str, entry: griffe.Object, depth: int, alone: set[str]
) -> Iterator[tuple[str, griffe.Object, int]]:
    yield path, entry, depth
    if not (entry.is_module or entry.is_class):
        return
    for name, member in entry.members.items():
        described = not member.is_alias and member.docstring is not None and not name.startswith("_")
        stands_alone = described and (member.is_function or member.is_class or "property" in member.labels)
        if stands_alone and member.path not in alone:
            yield from _with_members(f"{path}.{name}", _target(member), depth + 1, alone)


@cache
def _wings() -> set[str]:
    return {wing for wings in PAGES.values() for wing in wings}


def _target(entry: griffe.Object | griffe.Alias) -> griffe.Object:
    return entry.final_target if isinstance(entry, griffe.Alias) else entry


def _wing(wing: str) -> Iterator[str]:
    """Markdown of a wing: its description, a table of its entries, then the entries."""
    yield f"## {wing} {{#{wing}}}"
    yield from _described(_source()[wing])
    entries = list(_entries(wing))
    rows = [
        f"| [`{path.removeprefix(wing + '.')}`](#{path}) | {_summary(entry)} |"
        for path, entry, depth in entries
        if depth == 0
    ]
    yield "\n".join(["| | |", "|:-------|:----------------------|", *rows])
    for path, entry, depth in entries:
        yield f"{'#' * (3 + depth)} `{path.removeprefix(wing + '.')}` {{#{path} .reference-entry}}"
        if not entry.is_module and (not isinstance(entry, griffe.Class) or entry.parameters):
            yield f"```python\n{_signature(path.rpartition('.')[2], entry)}\n```"
        yield from _described(entry)


def _signature(name: str, entry: griffe.Object) -> str:
    """Signature of an entry, with one line per parameter if a single line is too short."""
    if isinstance(entry, griffe.Attribute):
        return f"{name} = {entry.value}" if entry.annotation is None else f"{name}: {entry.annotation}"
    if not isinstance(entry, griffe.Class | griffe.Function):
        raise TypeError(f"{entry.path} is neither a class nor called")
    shown: list[str] = []
    for parameter in entry.parameters:
        if parameter.name in ("self", "cls"):
            continue
        keyword_only = parameter.kind is griffe.ParameterKind.keyword_only
        if keyword_only and not any(earlier.startswith("*") for earlier in shown):
            shown.append("*")
        stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
        text = stars.get(parameter.kind, "") + parameter.name
        text += f": {parameter.annotation}" if parameter.annotation is not None else ""
        shown.append(text if parameter.required or text.startswith("*") else f"{text} = {parameter.default}")
    returned = f" -> {entry.returns}" if isinstance(entry, griffe.Function) and entry.returns is not None else ""
    line = f"{name}({', '.join(shown)}){returned}"
    if len(line) <= _WIDTH or not shown:
        return line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in shown) + f"){returned}"


def _summary(entry: griffe.Object) -> str:
    """First paragraph of a docstring, on one line."""
    text = entry.docstring.value.split("\n\n")[0] if entry.docstring else ""
    return _prose(" ".join(text.removesuffix("::").split()), entry)


def _described(entry: griffe.Object) -> Iterator[str]:
    """Markdown of a docstring, and of the fields of a class that are described where they are declared."""
    named: set[str] = set()
    for section in entry.docstring.parsed if entry.docstring else ():
        kind = section.kind.value
        if kind == "text":
            yield _prose(section.value, entry)
        elif kind in _LISTS:
            named |= {getattr(item, "name", "") for item in section.value}
            yield from _listed(_LISTS[kind], [(*_term(item), item.description) for item in section.value], entry)
        else:
            raise ValueError(f"the docstring of {entry.path} has a section that the reference cannot show: {kind}")
    fields = [
        (name, str(member.annotation or ""), text)
        for name, member in entry.members.items()
        if isinstance(member, griffe.Attribute) and name not in named and not name.startswith("_")
        if (text := _field_text(member))
    ]
    yield from _listed("Constants" if entry.is_module else "Fields", fields, entry)


def _term(item: griffe.DocstringElement) -> tuple[str, str]:
    """Name and type of an item of a list in a docstring; an error or a returned value may have only a type."""
    return getattr(item, "name", "") or "", str(item.annotation or "")


def _field_text(field: griffe.Attribute) -> str:
    """Description of a field: the docstring below it, or a keyword of the call that declares it."""
    if "property" in field.labels:
        return ""  # it is an entry of its own
    if field.docstring:
        return field.docstring.value
    for argument in field.value.arguments if isinstance(field.value, griffe.ExprCall) else ():
        if isinstance(argument, griffe.ExprKeyword) and argument.name in _KEYWORDS:
            return str(ast.literal_eval(str(argument.value)))
    return ""


def _listed(title: str, items: Sequence[tuple[str, str, str]], scope: griffe.Object) -> Iterator[str]:
    """A heading and a definition list of names, types and descriptions; nothing without items."""
    if not items:
        return
    yield f"[{title}]{{.reference-title}}"
    for name, type_, text in items:
        shown = "\n\n".join(_prose(paragraph, scope) for paragraph in text.strip().split("\n\n")) or "\u00a0"
        term = " ".join(_names(part, scope) for part in (name, type_) if part)
        yield f"{term}\n:   " + shown.replace("\n", "\n    ")


def _names(text: str, scope: griffe.Object) -> str:
    """Names or a type as code; names that share a description are linked one by one."""
    names = text.split(", ") if re.fullmatch(r"[\w.*]+(, [\w.*]+)+", text) else [text]
    return ", ".join(_linked(f"`{name}`", scope) for name in names)


def _prose(text: str, scope: griffe.Object) -> str:
    """Text of a docstring as Markdown: names are linked, other characters escaped, code blocks kept."""
    parts = _BLOCK.split(text.strip("\n").replace(". ::\n", ".\n").replace(" ::\n", ":\n"))
    for number in range(0, len(parts), 2):
        spans = _CODE.split(parts[number])
        spans[::2] = [_MARKUP.sub(r"\\\1", span) for span in spans[::2]]
        spans[1::2] = [_linked(span, scope) for span in spans[1::2]]
        parts[number] = "".join(spans)
    return "".join(parts)


def _linked(code: str, scope: griffe.Object) -> str:
    """A name in backticks as a link to its entry, if it has one; anything else in backticks as code."""
    name = code.strip("`")
    if code.startswith("``") or not re.fullmatch(r"[\w.]+", name):
        return f"`{name}`"
    anchors = _anchors()
    candidates = [name]
    with contextlib.suppress(griffe.NameResolutionError):
        candidates.append(scope.resolve(name))
    for candidate in candidates:
        if candidate in anchors:
            return f"[`{name}`]({anchors[candidate]})"
    parent = name.rpartition(".")[0]
    while parent:  # a module that is not exported itself: its wing
        if parent in anchors:
            return f"[`{name}`]({anchors[parent]})"
        parent = parent.rpartition(".")[0]
    return f"`{name}`"
