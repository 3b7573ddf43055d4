"""
Is the new model worth it? An A/B comparison in money
=====================================================

An engineer has inspected 40 lots of 15 parts, and has a table of what each decision costs. Today
logistic regression decides. Would a model with Gaussian noise cost less per 1000 parts? The lots
are simulated, so that anybody can run this. The answer is the one that is most often true of 600
parts and two sensible models: nobody can tell. The way there shows more than the answer.
"""

# %%
# Lots
# ----
# Each lot shifts all eight measurements, and has its own share of dents and cracks: parts of a lot
# resemble each other. Dented parts can be reworked, cracked ones have to be scrapped. What passes
# and should not comes back from the customer, and a crack is dear.

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.linear_model import LogisticRegression

from skperturb import PerturbArgmaxClassifier
from skperturb.evaluation import (
    PairedABTest,
    calibration_error,
    compare_classifiers,
    expected_cost_decision,
)

classes = np.array(["ok", "dent", "crack"])
means = np.array([[0] * 8, [1.6, 1, 0.6, 0.4, 0, 0, 0, 0], [0, 0, 0, 0.4, 0.8, 1.2, 1.4, 1]])


def inspect(n_lots, rng):
    lot = np.repeat(np.arange(n_lots), 15)
    shares = rng.dirichlet([1.6, 0.3, 0.1], n_lots)  # 80 % ok, 15 % dent, 5 % crack on average
    y = np.array([rng.choice(3, p=share) for share in shares[lot]])
    X = rng.normal(size=(n_lots, 8))[lot] + means[y] + rng.normal(size=(len(lot), 8))
    return X, classes[y], lot


X, y, lot = inspect(40, np.random.default_rng(0))
costs = pd.DataFrame(
    {"pass": [0, 30, 300], "rework": [4, 4, 60], "scrap": [12, 12, 12]}, index=classes
)
models = {
    "today": LogisticRegression(max_iter=1000),
    "Gaussian": PerturbArgmaxClassifier("gaussian"),
}
options = {"cost_matrix": costs, "good": "ok", "rope": 100, "n_splits": 5, "n_repeats": 4}
print(costs)
print(pd.Series(y).value_counts().to_dict())

# %%
# The trap: random folds
# ----------------------
# With random folds the models are tested on parts whose lot they know already. On the line every
# lot is new. So the same comparison is made twice, the second time with lots kept together.

random = compare_classifiers(models, X, y, **options)
result = compare_classifiers(models, X, y, groups=lot, **options)
for name, comparison in {"random folds": random, "whole lots": result}.items():
    print(name)
    print(comparison.kpis.loc[list(models), ["cost", "log_loss", "accuracy"]].round(3))

# %%
# Random folds promise a log loss of .46 and a cost of about 6100 per 1000 parts for today's model.
# With whole lots it is .56 and about 7150. That hardly touches the difference between the models,
# but whether either is worth having. Is it chance? In twelve such simulations the mean log loss of
# today's model was .43 with random folds, .51 with whole lots, and .51 in 500 new lots; the cost
# 5100, 6100 and 6700.

kpis = ["cost", "cost_low", "cost_high", "log_loss", "accuracy"]
print(result.kpis[kpis].round(2).to_string(na_rep="."))

# %%
# The last rows are policies that need no model. To rework every part costs 7173, hardly more than
# today's model, and less than the new one. Random folds would have hidden this doubt. The intervals
# of the models are some 4300 wide: 40 lots of parts that resemble each other tell less than 600
# independent parts.
#
# The verdict
# -----------
# The difference is that of new less today, on the same folds, with the standard error of Nadeau and
# Bengio, which allows for folds that share their training parts. Differences of less than 100 per
# 1000 parts do not matter to the engineer (``rope=100``). The comparison ends in a decision: use
# the new model, keep today's, or use neither. Only the cost has a verdict.

print(*result.conclusion.sentences, sep="\n")
shown = ["metric", "difference", "se", "ci_low", "ci_high", "needed_low", "needed_high", "verdict"]
print(result.table[shown].round(4).to_string(index=False))


def show(figure):
    """Hand a figure of the comparison, which belongs to no window, to pyplot."""
    figure.set_dpi(120)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    window = plt.figure(figsize=figure.get_size_inches(), dpi=120)
    window.figimage(np.asarray(canvas.buffer_rgba()))


show(result.plot_differences())

# %%
# The new model came out 169 dearer, plus or minus a standard error of 300: inconclusive. Neither is
# it "equivalent": that would need nearly all of the interval within 100. To show a difference of
# this size, beyond the 100 that do not matter, would take at least 130 lots instead of 40, and
# perhaps no number of them, because the difference may be smaller than that. Today's model cost a
# little less than to rework every part, but that is not proven.
#
# What is decided, and what it costs
# ----------------------------------
# Each model takes the decision with the least expected cost, not that of the most probable class.
# Here are the decisions per 1000 parts of each truth, then in a figure what they cost.

for name in models:
    print(name)
    print(result.confusion(name).round(1))
show(result.plot_confusion("Gaussian"))

# %%
# What if an escape costs more?
# -----------------------------
# The cost table is a guess. Here the errors on defective parts cost 1/8 to 8 times as much.

print(
    result.sensitivity()[["factor", "difference", "ci_low", "ci_high", "verdict"]]
    .round({"difference": 0, "ci_low": 0, "ci_high": 0})
    .to_string(index=False)
)
show(result.plot_sensitivity())

# %%
# Calibration
# -----------
# Decisions by expected cost need probabilities that hold what they say. These are too sure of
# cracks: of the parts with the highest predicted share, .4 on average, .2 are cracked. A
# calibration error is never zero in 600 parts: it is to be compared with what a perfect model would
# show. That perfect model has independent parts. These are not, so that its p-values are too small.

for name, out in result.predictions.items():
    print(name)
    print(calibration_error(y, out.proba[0], out.classes, n_bins=5).round(3).to_string(index=False))
show(result.plot_reliability())

# %%
# In operation: a shadow test
# ---------------------------
# Both models, fitted to all 600 parts, decide on new parts; today's decision is carried out. From
# each lot one part is drawn at random and its truth is established, whatever was decided. More than
# one would not do: the parts of a lot foretell each other, and the test supposes that they do not.
# One may look after every part, and stop at any time.

rng = np.random.default_rng(1)
X_new, y_new, lot_new = inspect(2000, rng)
drawn = np.arange(2000) * 15 + rng.integers(15, size=2000)
decisions = {}
for name, model in models.items():
    proba = model.fit(X, y).predict_proba(X_new)
    decisions[name] = np.asarray(expected_cost_decision(proba, costs, model.classes_))
test = PairedABTest(costs)
for n, part in enumerate(drawn, start=1):
    test.update(y_new[part], decisions["today"][part], decisions["Gaussian"][part])
    if n in (100, 500, 1000, 2000):
        low, high = (1000 * end for end in test.interval)
        print(
            f"{n:5} parts, {test.n_disagree:3} disagree in cost: today less Gaussian per 1000 "
            f"{1000 * test.mean_difference:+6.0f} ({low:+.0f} to {high:+.0f}), e = "
            f"{test.e_value:.2f}, {test.verdict}"
        )
paid = {
    name: 1000 * costs.to_numpy()[costs.index.get_indexer(y_new), costs.columns.get_indexer(d)]
    for name, d in {**decisions, "rework all": np.full(len(y_new), "rework")}.items()
}
print({name: round(float(cost.mean())) for name, cost in paid.items()}, "on all 30 000 new parts")

# %%
# After 2000 lots the shadow test is undecided, too: the decisions differ in cost on 89 of 2000
# parts. A simulation knows what no engineer does, the truth of all 30 000 new parts: they cost 6076
# per 1000 with today's model, 6037 with the new one, and 6819 if every part is reworked.
#
# The conclusion: inconclusive
# ----------------------------
# Keep today's model, as the first line of the result says. Nothing here shows that the new one
# costs less, nor that it costs the same within 100; a test that goes on would, at best, find a
# difference that does not matter. Whether a model beats reworking everything was the better
# question, and 40 lots did not settle it: inspect more lots rather than more parts of each. In the
# new lots the models were cheaper than whole lots had it, and this once the cost of random folds
# came nearer. The intervals by lot hold the truth, and more they do not promise.
#
# The same with real groups
# -------------------------
# The vowel data: 990 utterances of 11 English vowels by 15 speakers, ten measurements each. The
# speaker is the lot. Every wrong call costs 1. They do not ship with this package; the cell runs
# where the environment variable ``SKPERTURB_DATA`` names a folder with ``vowel.csv``.

path = Path(os.environ.get("SKPERTURB_DATA", "")) / "vowel.csv"
if path.is_file():
    vowel = pd.read_csv(path)
    measured, vowels = vowel.filter(like="Feature"), vowel["target"]
    for name, groups in {"random folds": None, "whole speakers": vowel["Speaker Number"]}.items():
        comparison = compare_classifiers(
            models, measured, vowels, groups=groups, n_splits=5, n_repeats=1
        )
        print(name)
        print(comparison.kpis[["cost", "log_loss", "accuracy"]].round(3).to_string(na_rep="."))
        print(comparison.table[["metric", "difference", "p_value", "verdict"]].round(3))
else:
    print("vowel.csv is not there: this part was left out.")
