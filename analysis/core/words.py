"""Numbers and names as a reader sees them: shares, p values, signed numbers, ranges, names of files."""

import re
from collections.abc import Mapping, Sequence


def percent(share: float, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage."""
    return f"{share:.{digits}%}".replace("%", " %")


def share(value: float, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage for a sentence: what is not nothing is never "0.0 %", nor is a part all.

    Returns
    -------
    str
        "12.3 %", "less than 0.1 %" or "more than 99.9 %".
    """
    least = 10.0 ** -(digits + 2)
    if 0 < value < least / 2:
        return f"less than {percent(least, digits)}"
    if 1 - least / 2 < value < 1:
        return f"more than {percent(1 - least, digits)}"
    return percent(value, digits)


def p_value(value: float, permutations: int | None = None) -> str:
    """Write a p value with the digits that its permutations allow.

    Parameters
    ----------
    value
        The p value, (1 + permutations that were as extreme) / (1 + permutations).
    permutations
        Number of permutations; where none of them was as extreme, that is said.
    """
    if permutations and value * (1 + permutations) < 1.5:
        return f"p < {1 / permutations:.{max(3, len(str(permutations)))}f}, none of {permutations:,}"
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"


def number(value: float, digits: int = 2) -> str:
    """Write a number with a minus sign that is not a hyphen."""
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign, plus or minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def source_name(name: str) -> str:
    """Write the name of a data set or of a part, with a dash between ages: "A, ages 10–80" for "A, ages 10-80"."""
    return re.sub(r"(?<=, ages )(\d+)-(\d+)$", r"\1–\2", name)


def counted(count: int, one: str, many: str = "") -> str:
    """Write a number of things: "1 image", "2,000 images".

    Parameters
    ----------
    count
        How many.
    one
        What a single one is called.
    many
        What several are called; empty for ``one`` with an "s".
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """Write names as a list: "a", "a and b", "a, b and c"; nothing if there are none."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def printable(text: str) -> str:
    """Write the name of a file so that it is readable on any terminal, on one line.

    Bytes that are not UTF-8 become ``\\xe9``, line breaks and other control characters ``\\n`` or ``\\x1b``.
    """
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def quoted(text: str) -> str:
    """Write a name of a file in quotation marks; see `printable`."""
    return f"'{printable(text)}'"


def _escape(character: str) -> str:
    byte = ord(character) - 0xDC00  # Python's placeholder for a byte of a file name that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]


def extremes(
    values: Mapping[str, tuple[float, str, str]],
    preposition: str = "on",
    *,
    words: tuple[str, str] = ("highest", "lowest"),
    lowest_first: bool = False,
) -> str:
    """Name the highest and the lowest of several values; of a single one, the value.

    Parameters
    ----------
    values
        Name -> the value, the value as text, and a remark.
    preposition
        Stands before a name.
    words
        For the highest and the lowest value.
    lowest_first
        Whether the lowest is named first, as where it is the best.

    Returns
    -------
    str
        End of a sentence: "highest on A (97 %; 30 images) and lowest on B (90 %; 9 images)" or "97 % on A (30 images)".
    """
    high = max(values, key=lambda name: values[name][0])
    low = min(values, key=lambda name: values[name][0])
    _, text, remark = values[high]
    if text == values[low][1]:
        several = "both" if len(values) == 2 else f"all {len(values)}"
        return f"{text} {preposition} {f'{high} ({remark})' if len(values) == 1 else several}"
    ends = [
        f"{word} {preposition} {name} ({'; '.join(values[name][1:])})"
        for word, name in zip(words, (high, low), strict=True)
    ]
    return " and ".join(reversed(ends) if lowest_first else ends)
