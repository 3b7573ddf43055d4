"""Make the sample of parts that ships with the package: ``skperturb sample`` copies it to a user.

    python benchmarks/make_sample.py [FOLDER]

Everything in it is simulated: one step of injection moulding, with lots, three kinds of defects,
gaps, a few wrong labels, later parts whose process drifts, and the log of a shadow test. The stream
of NumPy's RandomState does not change between versions, so that the files are the same everywhere;
tests/test_sample.py compares them.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 20260302
PARTS_OF_LOT = 25
CLASSES = ("OK", "flash", "short_shot", "sink_mark")
DECISIONS = ("pass", "rework", "scrap")
COSTS = pd.DataFrame(
    [[0, 3, 8], [40, 3, 8], [60, 11, 8], [15, 11, 8]],
    index=pd.Index(CLASSES, name="defect"),
    columns=DECISIONS,
)
# Name, mean, spread between lots, spread within a lot, decimals.
SENSORS = (
    ("melt_temp_C", 232.0, 1.4, 2.1, 1),
    ("mould_temp_C", 61.0, 1.2, 1.4, 1),
    ("injection_pressure_bar", 890.0, 8.0, 17.0, 0),
    ("holding_pressure_bar", 520.0, 6.0, 12.0, 0),
    ("injection_time_s", 1.12, 0.015, 0.045, 3),
    ("cushion_mm", 4.8, 0.15, 0.32, 2),
    ("clamping_force_kN", 905.0, 5.0, 11.0, 0),
    ("moisture_pct", 0.080, 0.012, 0.004, 3),
    ("hall_humidity_pct", 44.0, 5.0, 1.0, 1),
)
DRIFT = 2.5  # of the mould in later.csv, in degrees
MACHINES = ("M1", "M2", "M3")
HOT, LITTLE = 1.0, -1.0  # the limits, in spreads from the mean
NOISE = 0.35  # scale of the Gumbel noise on the scores
WRONG = (  # true class, class that the inspector wrote, number of parts
    ("flash", "OK", 3),
    ("short_shot", "OK", 3),
    ("short_shot", "sink_mark", 2),
    ("sink_mark", "short_shot", 2),
    ("OK", "sink_mark", 2),
)


def make_parts(random, first, first_lot, n_lots, start, of_lot=PARTS_OF_LOT, drift=0.0):
    """Parts of lots in order of time: the columns of the files and, in ``defect``, the truth.

    The drift is that of the mould's temperature from the middle of the lots on. The scores are
    returned, too: all, and the share of them that the sensors see.
    """
    n = n_lots * of_lot
    lot = np.repeat(np.arange(n_lots), of_lot)
    machine = random.randint(len(MACHINES), size=n_lots)[lot]
    scaled = {}  # each sensor in spreads from its mean
    columns = {}
    for name, mean, between, within, decimals in SENSORS:
        spread = np.hypot(between, within)
        value = between * random.standard_normal(n_lots)[lot] + within * random.standard_normal(n)
        if name == "mould_temp_C":
            value += drift * (lot >= n_lots // 2)
        if name == "clamping_force_kN":
            value -= 5.0 * (machine == 2)  # the oldest machine
        columns[name] = np.round(mean + value, decimals)
        scaled[name] = (columns[name] - mean) / spread
    seen = _scores(scaled)
    scores = seen + 0.3 * random.standard_normal((n_lots, len(CLASSES)))[lot]  # what no sensor sees
    noisy = scores + NOISE * random.gumbel(size=scores.shape)
    minutes = np.cumsum(random.choice([1, 1, 1, 2], size=n)) + 240 * lot
    made = pd.Timestamp(start) + pd.to_timedelta(minutes, unit="min")
    table = pd.DataFrame(
        {
            "part": [f"P{first + i:05d}" for i in range(n)],
            "lot": [f"L{first_lot + k:03d}" for k in lot],
            "made_at": made.strftime("%Y-%m-%d %H:%M"),
            "machine": np.array(MACHINES)[machine],
            **columns,
            "decided": _rule(columns),
            "defect": np.array(CLASSES)[noisy.argmax(1)],
        }
    )
    return table, scores, seen


def _scores(z):
    """Scores of the classes: straight lines, and two limits beyond which defects are frequent."""
    hot, little = z["mould_temp_C"] > HOT, z["cushion_mm"] < LITTLE
    melt, pressure, force = z["melt_temp_C"], z["injection_pressure_bar"], z["clamping_force_kN"]
    flash = -4.2 + 1.6 * pressure - 1.6 * force + 0.5 * melt
    short = -4.3 + 3.6 * little - 0.4 * z["cushion_mm"] - 1.0 * melt + 0.7 * z["injection_time_s"]
    sink = -3.9 + 3.6 * hot - 1.0 * z["holding_pressure_bar"] + 0.5 * z["moisture_pct"]
    return np.column_stack([np.zeros(len(hot)), flash, short, sink])


def _limit(name, spreads):
    """A limit in the sensor's unit."""
    ((mean, between, within),) = [sensor[1:4] for sensor in SENSORS if sensor[0] == name]
    return mean + spreads * np.hypot(between, within)


def _rule(columns):
    """Today's decisions: three limits that were set when the tool was new."""
    scrap = (columns["cushion_mm"] < 4.25) | (columns["holding_pressure_bar"] < 496)
    rework = (columns["clamping_force_kN"] < 888) | (columns["injection_pressure_bar"] > 925)
    return np.select([scrap, rework], ["scrap", "rework"], "pass")


def with_wrong_labels(random, table, scores):
    """The table as the inspectors wrote it, and the rows in which they erred, all clear cases."""
    table = table.copy()
    truth = table["defect"].to_numpy(copy=True)
    own = scores[np.arange(len(truth)), [CLASSES.index(name) for name in truth]]
    margin = own - np.where(scores == own[:, None], -np.inf, scores).max(1)
    rows = []
    for true, written, number in WRONG:
        of_class = truth == true
        clear = of_class & (margin > np.median(margin[of_class]))
        chosen = random.permutation(np.flatnonzero(clear))[:number]
        table.loc[chosen, "defect"] = written
        truth[chosen] = ""  # not twice
        rows += [(row, written, true) for row in chosen]
    return table, sorted(rows)


def with_gaps(random, table):
    """The table without some cells: single ones, and a lot whose hygrometer was off."""
    table = table.copy()
    for name, share in (
        ("cushion_mm", 0.02),
        ("injection_time_s", 0.01),
        ("hall_humidity_pct", 0.01),
    ):
        table.loc[random.uniform(size=len(table)) < share, name] = np.nan
    table.loc[table["lot"] == table["lot"].unique()[5], "moisture_pct"] = np.nan
    return table


def make_log(random):
    """The log of a shadow test: both decide on every part, and the truth comes later."""
    table, _, seen = make_parts(random, 1501, 61, 150, "2026-05-11 06:00", of_lot=8)
    # A model that is less sure than it could be.
    proba = np.exp((seen - seen.max(1, keepdims=True)) / (2 * NOISE))
    proba /= proba.sum(1, keepdims=True)
    candidate = np.array(DECISIONS)[(proba @ COSTS.to_numpy()).argmin(1)]
    return pd.DataFrame(
        {
            "part": table["part"],
            "lot": table["lot"],
            "truth": table["defect"],
            "today": table["decided"],
            "candidate": candidate,
        }
    )


DESCRIPTION = """\
# A sample of parts

Everything here is simulated by `benchmarks/make_sample.py` of skperturb: no part was made, and no
factory's numbers are in it. The step is the injection moulding of a small housing.

| file | what it holds |
|---|---|
| `parts.csv` | {parts} parts in {lots} lots of {of_lot}, the class in `defect` |
| `costs.csv` | what each decision costs for a part of each class |
| `later.csv` | {later} later parts; in the second half the mould is {drift} degrees hotter |
| `labels.csv` | the classes of these parts, known some days later |
| `shadow.csv` | the log of a shadow test: truth and both decisions, 8 parts of each of 150 lots |

## Columns

`part` is a number of the part, `lot` its lot, `made_at` the time, `machine` one of three machines.
Nine sensors follow, with their units in their names. `decided` is what was decided on the part by
today's limits: pass, rework (trim and look again) or scrap. `defect` is what the inspectors wrote:
{counts}.

Flash comes from a high pressure and a low clamping force, short shots mostly from a cushion below
about {cushion:.2f} mm, sink marks mostly from a mould above about {mould:.1f} degrees. Today's
limits for the cushion and the holding pressure lie elsewhere, and there is none for the mould. The
humidity of the hall does nothing. Lots differ also in ways that no sensor sees. Some cells are
empty; the moisture of one whole lot is missing.

## Wrong labels

In {n_wrong} parts of `parts.csv` the inspectors erred:

| line | part | written | true |
|---|---|---|---|
{wrong}
"""


def main(folder):
    """Write the files."""
    folder = Path(folder)
    random = np.random.RandomState(SEED)
    parts, scores, _ = make_parts(random, 1, 1, 40, "2026-03-02 06:00")
    parts, wrong = with_wrong_labels(random, parts, scores)
    parts = with_gaps(random, parts)
    later, *_ = make_parts(random, 1001, 41, 20, "2026-04-06 06:00", drift=DRIFT)
    log = make_log(random)
    files = {
        "parts.csv": parts,
        "costs.csv": COSTS.reset_index(),
        "later.csv": later.drop(columns="defect"),
        "labels.csv": later[["part", "lot", "defect"]],
        "shadow.csv": log,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in files.items():
        text = table.to_csv(index=False, lineterminator="\n")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    counts = parts["defect"].value_counts()
    text = DESCRIPTION.format(
        parts=len(parts),
        lots=parts["lot"].nunique(),
        of_lot=PARTS_OF_LOT,
        later=len(later),
        drift=DRIFT,
        cushion=_limit("cushion_mm", LITTLE),
        mould=_limit("mould_temp_C", HOT),
        counts=", ".join(f"{name} ({counts[name]})" for name in CLASSES),
        n_wrong=len(wrong),
        # The first line of the file is the header.
        wrong="\n".join(
            f"| {row + 2} | {parts['part'][row]} | {written} | {true} |"
            for row, written, true in wrong
        ),
    )
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "skperturb" / "sample")
