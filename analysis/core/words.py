"""Numbers as a reader sees them: shares, p values and signed numbers, written one way everywhere."""


def percent(share: float, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage."""
    return f"{share:.{digits}%}".replace("%", " %")


def p_value(value: float) -> str:
    """Write a p value with the digits that its permutations allow."""
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign, plus or minus."""
    return f"{value:+.{digits}f}".replace("-", "−")
