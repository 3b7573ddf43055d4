"""What one cell says: a number with its marks and unit, a date, or that nothing was measured."""

import re
import unicodedata
from typing import NamedTuple

# Ways to write that there is no value; such a cell counts as empty in a column of numbers.
EMPTY_WORDS = frozenset(
    ["", "na", "n/a", "#n/a", "#na", "nan", "-nan", "null", "none", "nil", "<na>", "nat", "n.a."]
)
_DASHES = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2010": "-", "\u2011": "-", "\u2019": "'"})
PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_NUMBER = re.compile(
    r"(?P<sign>[+-]?) ?(?P<currency>[\u00a5$\u20ac\u00a3]?) ?"
    r"(?P<digits>\d(?:[\d.,' ]*\d)?[.,]?|[.,]\d+)(?P<exponent>[eE][+-]?\d+)?"
    r"(?P<space> ?)(?P<unit>[^\d\s.,+-][^\d\s]*(?:[23]|\d(?=/))?(?:/[^\d\s]+[23]?)?)?(?P<after>-?)"
)
# Units that may follow a number without a space, after normalisation (so mu for micro).
_UNIT_NAMES = (
    '% " \u2030 \u00b0 \u00a5 $ \u20ac \u00a3 \u00b0c \u00b0f mm cm dm km \u03bcm um nm mil '
    "inch in ft kg mg \u03bcg ug ms \u03bcs us ns min sec hr kn mn nm mpa kpa gpa hpa pa bar "
    "mbar psi mv kv \u03bcv ma \u03bca ua kw mw hz khz mhz ghz ohm \u03c9 k\u03c9 m\u03c9 ppm ppb "
    "rpm ml \u03bcl cl db dba hrc hv hb mol lx lm cd kj kwh wh ah mah deg rad pcs stk stck "
    "eur usd jpy gbp chf \u5186 \u500b \u672c \u679a \u79d2 \u5206 \u6642\u9593 \u5ea6"
)
_UNITS = frozenset(_UNIT_NAMES.split())
_POWERS = frozenset(
    f"{unit}{power}" for unit in ["m", "mm", "cm", "km", "s", "ft"] for power in "23"
)
# Units only after a space or in a ratio: "3 A" is a current, "3A" may be a machine.
_LETTERS = frozenset("mgsthnvawkcflj")
_UNKNOWN_UNIT = re.compile(r"[^\W\d_]{2,12}\.?")

_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
_MONTHS |= {"m\u00e4r": 3, "mrz": 3, "mai": 5, "okt": 10, "dez": 12}
_TIME = (
    r"\d{1,2}[:\u6642]\d{2}(?:[:\u5206]\d{2}(?:[.,:]\d{1,9})?\u79d2?|\u5206)?"
    r"(?:\s?[AaPp]\.?[Mm]\.?)?"
)
_ZONE = r"(?:\s?(?:Z|UTC|GMT|(?P<zone>[+-]\d{2}:?\d{2})))?"
_DATE = re.compile(
    rf"(?:(?:mo|tu|we|th|fr|sa|su)\w*,?\s)?(?:"
    rf"(?P<y1>\d{{4}})[-/.\u5e74](?P<m1>\d{{1,2}})[-/.\u6708](?P<d1>\d{{1,2}})\u65e5?"
    rf"|(?P<a>\d{{1,2}})[-/.](?P<b>\d{{1,2}})[-/.](?P<y2>\d{{4}}|\d{{2}})"
    rf"|(?P<d3>\d{{1,2}})[-\s.]{{1,2}}(?P<m3>[^\W\d_]{{3,9}})\.?[-\s,]{{1,2}}(?P<y3>\d{{4}}|\d{{2}})"
    rf"|(?P<m4>[^\W\d_]{{3,9}})\.?\s(?P<d4>\d{{1,2}}),?\s(?P<y4>\d{{4}})"
    rf")(?:[T\s_]\s?(?P<time>{_TIME}){_ZONE})?",
    re.IGNORECASE,
)
_CLOCK = re.compile(_TIME)
_COMPACT = re.compile(r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?:[T_ ]?(?P<t>\d{4}|\d{6}))?")


class Number(NamedTuple):
    """A number as it is written: digits and marks apart from the sign, exponent and unit."""

    sign: str
    digits: str
    exponent: str
    unit: str
    known: bool


def normal(cell: str) -> str:
    """Return a cell with usual digits, signs and spaces, without spaces around it."""
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell).translate(_DASHES)
    return cell.strip()


def number(cell: str) -> Number | None:
    """Take a normal cell apart if it is a number, with or without a unit."""
    if PLAIN.fullmatch(cell):
        bare = cell.lstrip("+-")
        digits, mark, exponent = bare.replace("E", "e").partition("e")
        return Number(cell[0] if cell[0] in "+-" else "", digits, mark + exponent, "", True)
    if len(cell) > 60 or not any(map(str.isdigit, cell)):
        return None
    match = _NUMBER.fullmatch(cell)
    if match is None or (match["sign"] and match["after"]):
        return None
    unit, known = (match["unit"] or match["currency"]).strip("[]()"), True
    if match["unit"] and match["currency"]:
        return None
    if match["unit"]:
        spaced = bool(match["space"])
        parts = re.split("[/\u00b7*]", unit.lower())
        known = all(part in _UNITS or part in _POWERS or part in _LETTERS for part in parts) and (
            spaced or len(unit) > 1 or not unit.isascii() or not unit.isalpha()
        )
        if not known and not (spaced and _UNKNOWN_UNIT.fullmatch(unit)):
            return None
    sign = match["sign"] or match["after"]
    return Number(sign, match["digits"], match["exponent"] or "", unit, known)


def value(parsed: Number, decimal: str) -> float | None:
    """Return the number if its marks fit this decimal mark."""
    digits = parsed.digits
    if not digits.isdecimal():
        whole, mark, fraction = digits.partition(decimal)
        if mark and not (fraction.isdecimal() or not fraction):
            return None
        if whole and not whole.isdecimal():
            groups = re.split(r"([.,' ])", whole)
            marks = set(groups[1::2])
            if (
                len(marks) != 1
                or decimal in marks
                or not 1 <= len(groups[0]) <= 3
                or groups[0][0] == "0"
                or any(len(group) != 3 for group in groups[2::2])
            ):
                return None
            whole = "".join(groups[::2])
        digits = f"{whole}.{fraction}" if mark else whole
    try:
        return float(parsed.sign + digits + parsed.exponent)
    except ValueError:  # a mark without digits
        return None


def evidence(parsed: Number) -> str:
    """Return what a number says of the decimal mark.

    "." or "," if that mark surely separates decimals; "?." or "?," if it may separate decimals
    or thousands; "0" for a whole number of four digits or more without a mark; "" for a shorter
    one; "no" if it is a number under neither mark, such as 1.2.3.
    """
    digits = parsed.digits.replace(" ", "").replace("'", "")
    marks = [character for character in digits if character in ".,"]
    if not marks:
        return "0" if len(digits) > 3 and digits == parsed.digits else ""
    if len(marks) > 1:
        decimal = marks[-1] if len(set(marks)) == 2 else {".": ",", ",": "."}[marks[0]]
        return "no" if value(parsed, decimal) is None else decimal
    whole, mark, fraction = digits.partition(marks[0])
    sure = len(fraction) != 3 or not 1 <= len(whole) <= 3 or whole[0] == "0" or parsed.exponent
    return mark if sure else f"?{mark}"


def is_number_like(cell: str) -> bool:
    """Whether a cell is a number in some way of writing numbers."""
    if PLAIN.fullmatch(cell):
        return True
    parsed = number(normal(cell))
    return parsed is not None and not (value(parsed, ".") is None and value(parsed, ",") is None)


def is_empty_word(cell: str) -> bool:
    """Whether a normal cell is a word for "no value"."""
    return cell.lower() in EMPTY_WORDS


class When(NamedTuple):
    """A date or time of day: its parts, the first two of them in an order not yet known."""

    a: int
    b: int
    year: int
    ordered: bool
    seconds: float


def when(cell: str) -> When | None:
    """Take a normal cell apart if it is a date, a time, or both.

    ``a`` is the day and ``b`` the month, if ``ordered``; year 0 is for times of a day.
    """
    if not 4 <= len(cell) <= 40 or not any(map(str.isdigit, cell)):
        return None
    match = _DATE.fullmatch(cell)
    if match is None:
        if _CLOCK.fullmatch(cell):
            seconds = _seconds(cell)
            return None if seconds is None else When(1, 1, 0, True, seconds)
        return _compact(cell)
    seconds = _seconds(match["time"]) if match["time"] else 0.0
    if seconds is None:
        return None
    if match["zone"]:
        # Moments of several zones, or of one that changes its clocks, have one order: that of UTC.
        sign, hours, minutes = match["zone"][0], match["zone"][1:3], match["zone"][-2:]
        seconds -= int(sign + "1") * (3600 * int(hours) + 60 * int(minutes))
    if match["y1"]:
        return _valid(int(match["d1"]), int(match["m1"]), int(match["y1"]), True, seconds)
    if match["y2"]:
        return _valid(int(match["a"]), int(match["b"]), _year(match["y2"]), False, seconds)
    group = "3" if match["y3"] else "4"
    month = _MONTHS.get(match["m" + group].lower()[:3])
    if month is None:
        return None
    return _valid(int(match["d" + group]), month, _year(match["y" + group]), True, seconds)


def _compact(cell):
    match = _COMPACT.fullmatch(cell)
    if match is None:
        return None
    clock = match["t"] or ""
    hours, minutes, seconds = (int(clock[i : i + 2] or 0) for i in (0, 2, 4))
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    seconds += 3600 * hours + 60 * minutes
    return _valid(int(match["d"]), int(match["m"]), int(match["y"]), True, seconds)


def _year(text):
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 70 else 1900)
    return year


def _valid(a, b, year, ordered, seconds):
    fits = 1 <= a <= 31 and 1 <= b <= 31 and min(a, b) <= 12 and 1600 <= year <= 2261
    if ordered:
        fits = fits and b <= 12
    return When(a, b, year, ordered, seconds) if fits else None


def _seconds(clock):
    parts = [float(part.replace(",", ".")) for part in re.findall(r"\d+(?:[.,]\d+)?", clock)]
    hours, minutes = parts[0], parts[1] if len(parts) > 1 else 0.0
    seconds = parts[2] if len(parts) > 2 else 0.0
    half = re.search(r"([ap])\.?m", clock, re.IGNORECASE)
    if half:
        hours = hours % 12 + (12 if half[1] in "pP" else 0)
    if hours > 24 or minutes >= 60 or seconds > 61:
        return None
    return 3600 * hours + 60 * minutes + seconds
