"""Numbers and names as a reader sees them: shares, p values, signed numbers, names of files; one way everywhere."""


def percent(share: float, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage."""
    return f"{share:.{digits}%}".replace("%", " %")


def p_value(value: float) -> str:
    """Write a p value with the digits that its permutations allow."""
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign, plus or minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def printable(text: str) -> str:
    """Write a name of a file so that any terminal shows it, on one line.

    Bytes that are no UTF-8 become ``\\xe9``, line breaks and other control characters ``\\n`` or ``\\x1b``; what can be
    read stays as it is.
    """
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def quoted(text: str) -> str:
    """Write a name of a file in quotation marks; see `printable`."""
    return f"'{printable(text)}'"


def _escape(character: str) -> str:
    byte = ord(character) - 0xDC00  # Python's stand-in for a byte of a file's name that is no UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]
