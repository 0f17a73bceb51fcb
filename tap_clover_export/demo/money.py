"""Amounts as people write them: minor units of a currency, with its decimals."""

from __future__ import annotations

WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
THOUSAND, MILLION = 1_000, 1_000_000
MINUS = "\N{MINUS SIGN}"


def decimals(currency: str) -> int:
    """Tell how many decimals a currency has by ISO 4217; most have two."""
    if currency in WITHOUT_DECIMALS.split():
        return 0
    return 3 if currency in THREE_DECIMALS.split() else 2


def amount(minor: int, currency: str) -> str:
    """Write an amount without its currency, every digit of it."""
    places = decimals(currency)
    whole, rest = divmod(abs(minor), 10**places)
    sign = MINUS if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{rest:0{places}}" if places else "")


def money(minor: int, currency: str) -> str:
    """Write an amount with its currency, which no line's end parts."""
    return f"{amount(minor, currency)}\N{NO-BREAK SPACE}{currency}"


def short(minor: float, currency: str) -> str:
    """Write about how much it is, for axes and small cells."""
    size = abs(minor) / 10 ** decimals(currency)
    if size >= MILLION - THOUSAND // 2:
        text = f"{_three_digits(size / MILLION)}M"
    elif size >= 10 * THOUSAND:
        text = f"{_three_digits(size / THOUSAND)}k"
    else:
        text = _three_digits(size)
    return f"{MINUS}{text}" if minor < 0 and text != "0" else text


def _three_digits(size: float) -> str:
    """Write a number with as many decimals as make three digits, and all before the point."""
    whole = len(f"{size:.0f}")
    text = f"{size:,.{max(3 - whole, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
