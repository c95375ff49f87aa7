"""Numbers figures and tables of a page and resolves references to them, with Quarto's markup.

A page wraps a figure or a table in a fenced div with a label, ``fig-`` or ``tbl-`` and a name, whose last paragraph
is the caption; text refers to it by an at sign and the label. Quarto knows all of it by itself; this does the same
for the embedded renderer.
"""

import re
from collections.abc import Iterator

from analysis.core.errors import UserError

KINDS = {"fig": "Figure", "tbl": "Table"}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_DIV = re.compile(r" {0,3}(:{3,})\s*(.*?)\s*:*\s*$")
_LABEL = re.compile(r"#((fig|tbl)-[\w-]+)")
_REFERENCE = re.compile(r"(?<![\w`\\/\[])@((fig|tbl)-\w+(?:-\w+)*)")
_SPACE = "\u00a0"  # between "Figure" and its number


def resolve(body: str, page: str) -> str:
    """Number the figures and tables of a page and link to them where its text refers to them.

    Parameters
    ----------
    body
        Markdown, with the outputs of its cells.
    page
        Its name, for messages.

    Raises
    ------
    UserError
        If a figure or a table has no caption, two have the same label, or text refers to one that is not there.
    """
    lines = body.split("\n")
    opened: list[tuple[int, str | None]] = []  # line and label of each open div
    numbers: dict[str, str] = {}
    counts = dict.fromkeys(KINDS, 0)
    for place, line in list(text_lines(lines)):
        div = _DIV.match(line)
        if div is None:
            continue
        if div[2]:
            label = _LABEL.search(div[2])
            opened.append((place, label[1] if label else None))
            if label:
                if label[1] in numbers:
                    raise UserError(f"page {page} has two of {label[1]}: give each a label of its own")
                counts[label[2]] += 1
                numbers[label[1]] = f"{KINDS[label[2]]}{_SPACE}{counts[label[2]]}"
        elif opened:
            start, name = opened.pop()
            if name is not None:
                _wrap(lines, start, place, name, numbers[name], page)
    for place, line in list(text_lines(lines)):
        lines[place] = _REFERENCE.sub(lambda found: _link(found[1], numbers, page), line)
    return "\n".join(lines)


def text_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines outside of code and raw blocks, with their places."""
    fence = ""
    for place, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not found[2].strip():
                fence = ""
        elif found:
            fence = found[1]
        elif not line.startswith(("    ", "\t")):  # code, too
            yield place, line


def _wrap(lines: list[str], start: int, end: int, name: str, number: str, page: str) -> None:
    """Turn the div between two lines into a figure; each line stays where it is, so that places stay true."""
    last = end - 1
    while last > start and not lines[last].strip():
        last -= 1
    first = last
    while first > start and lines[first - 1].strip() and not _DIV.match(lines[first - 1]):
        first -= 1
    if first == start or _DIV.match(lines[last]) or _FENCE.match(lines[last]):
        raise UserError(f"page {page}: {name} has no caption, a paragraph before its closing colons")
    caption = " ".join(line.strip() for line in lines[first : last + 1])
    lines[first : last + 1] = [""] * (last + 1 - first)
    kind = name[:3]
    lines[start] = (
        f'\n```{{=html}}\n<div id="{name}" class="quarto-float quarto-figure"><figure class="quarto-float '
        f'quarto-float-{kind} figure"><figcaption id="{name}-caption" class="quarto-float-caption-top '
        f'quarto-float-caption quarto-float-{kind}">\n```\n\n{number}: {caption}\n\n'
        f'```{{=html}}\n</figcaption><div aria-describedby="{name}-caption">\n```\n'
    )
    lines[end] = "\n```{=html}\n</div></figure></div>\n```\n"


def _link(name: str, numbers: dict[str, str], page: str) -> str:
    if name not in numbers:
        raise UserError(f"page {page} refers to @{name}, which is not on it")
    return f"[{numbers[name]}](#{name}){{.quarto-xref}}"
