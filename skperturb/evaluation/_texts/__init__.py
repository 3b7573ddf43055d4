"""Words and numbers of the report: all texts by language, and how numbers are written."""

import math
import tomllib
from importlib.resources import files

LANGUAGES = ("en", "ja")  # each has a file of texts
MOST_DECIMALS = 12  # of a number in the page


def load(lang, currency=None):
    """All texts in a language.

    Parameters
    ----------
    lang : {"en", "ja"}
    currency : str, default=None
        Of the costs, which is then said with each amount.

    Returns
    -------
    dict of str to str
        Named strings with fields for ``str.format``.

    Raises
    ------
    ValueError
        If there are no texts in that language.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"lang must be one of {', '.join(LANGUAGES)}, got {lang!r}.")
    texts = tomllib.loads(files(__name__).joinpath(f"{lang}.toml").read_text(encoding="utf-8"))
    texts["money"] = "{amount}"
    if currency:
        unit = texts["currencies"].get(currency.upper(), f"\u00a0{currency}")
        texts["money"] = "{amount}" + unit
        for key in ("cost", "cost_difference", "policy_difference", "confusion_cost"):
            texts[key] = texts["in_currency"].format(text=texts[key], currency=unit.strip())
    return texts


def number(value, digits=3):
    """A number with the given count of significant digits, and all digits before the point.

    Examples
    --------
    >>> from skperturb.evaluation._texts import number
    >>> number(0.01234), number(12345.6), number(float("nan")), number(-1)
    ('0.0123', '12,346', '–', '−1.00')
    """
    return numbers([value], digits)[0]


def numbers(values, digits=3, decimals=None):
    """Numbers with the same decimals, enough for the largest one's significant digits.

    Examples
    --------
    >>> from skperturb.evaluation._texts import numbers
    >>> numbers([-0.01, 1.25, 0])
    ['−0.01', '1.25', '0.00']
    """
    values = [math.nan if value is None else float(value) for value in values]
    decimals = decimals_for(values, digits) if decimals is None else decimals
    return [_fixed(value, decimals) for value in values]


def decimals_for(values, digits):
    """How many decimals give the largest of some numbers its significant digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0)
    if not largest > 0:
        return 0
    largest = float(f"{largest:.{digits - 1}e}")
    return min(max(digits - 1 - math.floor(math.log10(largest)), 0), MOST_DECIMALS)


def percent(share, limit=None):
    r"""A share in percent, which is 0 or 100 only if the share is exactly so.

    It is on the side of the limit, if there is one, on which the share is.

    Examples
    --------
    >>> from skperturb.evaluation._texts import percent
    >>> percent(0.5), percent(0.97499), percent(0.97499, limit=0.975)
    ('50\xa0%', '97.5\xa0%', '97.499\xa0%')
    """
    if not math.isfinite(share):
        return _fixed(share, 0)
    if 0 < share < 0.001:
        text = "< 0.1 %"
    elif 0.999 < share < 1:
        text = "> 99.9 %"
    else:
        decimals = 1
        if limit is not None and share < limit:
            while float(f"{100 * share:.{decimals}f}") >= 100 * limit and decimals < MOST_DECIMALS:
                decimals += 1
        text = f"{100 * share:.{decimals}f}".removesuffix(".0") + " %"
    return text.replace(" ", "\u00a0")


def given(value):
    """A number that somebody has set, with all the digits that it was set with."""
    return f"{value:,.10g}"


def _fixed(value, decimals):
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        return text[1:] if not text.strip("-0.,") else f"−{text[1:]}"
    return text
