"""
Sum to zero, or a reference class? What the constraint changes
==============================================================

Adding the same number to the scores of all classes changes no probability, so a model with one row
of coefficients per class has one row too many. ``constraint`` says what is done about it: the rows
sum to zero, or the row of a reference class is zero, or nothing. Without a penalty that is a
question of what the coefficients mean, and the model is the same. With a penalty it is a
question of what is penalised, and each reference class makes another model. Here is how much that
is, on the wines that ship with scikit-learn: three growers, and Gaussian noise.
"""

# %%
# One model, four sets of coefficients
# ------------------------------------
# Three of the 13 measurements, in standard deviations, do not separate the growers, so that the
# coefficients are finite without a penalty (``C=inf``). The model is fitted with rows that sum to
# zero, and with each grower as the reference.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbSoftmaxClassifier
from skperturb.inference import likelihood_ratio_test

wine = load_wine(as_frame=True)
y, features = wine.target, ["alcohol", "magnesium", "malic_acid"]
X = StandardScaler().set_output(transform="pandas").fit_transform(wine.data[features])

constraints = {"sum_to_zero": {"constraint": "sum_to_zero"}}
for grower in range(3):
    constraints[f"reference {grower}"] = {"constraint": "reference", "reference_class": grower}
references = list(constraints)[1:]


def fit(X, y, model=PerturbArgmaxClassifier, tol=1e-9, **params):
    return model(tol=tol, max_iter=1000, **params).fit(X, y)


fits = {name: fit(X, y, C=np.inf, **params) for name, params in constraints.items()}
proba = fits["sum_to_zero"].predict_proba(X)
print(f"{'':12} log likelihood  max |p difference|")
for name, clf in fits.items():
    difference = np.abs(clf.predict_proba(X) - proba).max()
    print(f"{name:12} {clf.log_likelihood_:14.8f}  {difference:18.0e}")

tables = {name: clf.summary().set_index(["feature", "class"]) for name, clf in fits.items()}


def side_by_side(column):
    table = pd.DataFrame({name: table[column] for name, table in tables.items()})
    return table.loc[features].round(3).to_string(na_rep=".")


print("\ncoef\n" + side_by_side("coef"))

# %%
# The probabilities are the same but for rounding. The columns differ by a shift per feature that is
# common to all growers, so that the difference of two growers is the same in each:

print(f"{'':12} common shift of {', '.join(features)}; apart from it")
for name, clf in fits.items():
    shift = clf.coef_ - fits["sum_to_zero"].coef_
    print(f"{name:12} {shift.mean(axis=0).round(3)}; {np.ptp(shift, axis=0).max():.0e}")

# %%
# Standard errors answer different questions
# ------------------------------------------
# The coefficient of a class says how it differs from the reference class, or, with the sum to zero,
# from the plain mean of all classes. The standard errors of the latter are 30 to 50 % smaller here.
# Nothing more is known: the question is another one.

print("std_err\n" + side_by_side("std_err"))
print("\np_value\n" + side_by_side("p_value"))

styles = {
    "sum_to_zero": ("black", "o"),
    "reference 0": ("#0072B2", "s"),
    "reference 1": ("#D55E00", "^"),
    "reference 2": ("#009E73", "D"),
}
fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
handles = [plt.Line2D([], [], color=c, marker=m, label=name) for name, (c, m) in styles.items()]
fig.legend(
    handles=handles, loc="outside lower center", ncols=4, title="filled: p < .05", frameon=False
)
labels = [f"grower {grower}" for grower in range(3)]
axes[0].set(yticks=range(3), yticklabels=labels, ylim=(2.5, -0.5))
for axis, feature in zip(axes, features, strict=True):
    for offset, (name, table) in zip([-0.27, -0.09, 0.09, 0.27], tables.items(), strict=True):
        color, marker = styles[name]
        for grower, row in table.loc[feature].iterrows():
            axis.plot([row["ci_low"], row["ci_high"]], [grower + offset] * 2, color=color)
            fill = color if row["p_value"] < 0.05 else "white"
            axis.plot(row["coef"], grower + offset, marker, color=color, markerfacecolor=fill)
    axis.axvline(0, color="0.5", linewidth=0.8, zorder=0)
    axis.hlines([0.5, 1.5], 0, 1, transform=axis.get_yaxis_transform(), color="0.8", linewidth=0.8)
    axis.set(title=feature, xlabel="coefficient, 95 % interval")

# %%
# Filled markers have p < .05; the reference itself has no coefficient. All four colours are one
# model. Yet magnesium has no p-value below .05 with grower 2 as the reference, and one of two with
# the others: it tells growers 0 and 1 apart, and reference 2 does not ask about them. The sum to
# zero has its own trap: the coefficient of alcohol for grower 2 cannot be told from the mean
# (p = .53), and yet it differs from both others (p < .001), which lie on either side of it.
#
# Every pair of growers is in two of the reference fits, once from each side, with opposite signs
# and the same standard error. With three classes it follows from the sum to zero, too: as
# :math:`w_0 + w_1 + w_2 = 0`, the variance of :math:`w_0 - w_1` is
# :math:`2 s_0^2 + 2 s_1^2 - s_2^2`.


def std_err_from_sum_to_zero(table, i, j):
    """Standard errors of the difference of two of three classes."""
    v_i, v_j, v_k = (table["std_err"].xs(k, level="class") ** 2 for k in (i, j, 3 - i - j))
    return np.sqrt(2 * v_i + 2 * v_j - v_k)


print("growers  largest gap between the sides: coef, std_err; to the sum to zero: std_err")
for i, j in [(0, 1), (0, 2), (1, 2)]:
    one, other = (tables[f"reference {a}"].xs(b, level="class") for a, b in [(i, j), (j, i)])
    derived = std_err_from_sum_to_zero(tables["sum_to_zero"], i, j)
    coef = np.abs(one["coef"] + other["coef"]).max()
    std_err, from_sum = (np.abs(one["std_err"] - x).max() for x in [other["std_err"], derived])
    print(f"{i} and {j}  {coef:36.0e} {std_err:8.0e} {from_sum:29.0e}")

# %%
# Whether a feature matters at all is a question about all classes at once. The likelihood ratio
# test asks it, and its answer depends on no constraint:

for name, params in constraints.items():
    without = fit(X.drop(columns="magnesium"), y, C=np.inf, **params)
    test = likelihood_ratio_test(without, fits[name])
    print(
        f"{name:12} magnesium: chi-squared {test.statistic:.4f} with {test.df} df, "
        f"p = {test.p_value:.4f}"
    )

# %%
# No constraint, no penalty
# -------------------------
# With ``constraint=None`` and ``C=inf`` nothing chooses among the shifts. The fit gives the
# coefficients that sum to zero and warns, and there are no standard errors to be had:

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    free = fit(X, y, C=np.inf, constraint=None)
for warning in caught:
    print(f"{warning.category.__name__}: {warning.message}")
try:
    free.summary()
except ValueError as error:
    print(f"ValueError: {error}")

# %%
# With a penalty the reference is part of the model
# -------------------------------------------------
# A shift changes no probability, but it changes the sum of squares that the penalty charges, which
# is least where the rows sum to zero. Hence the penalty makes that choice by itself, and
# ``constraint=None`` is ``"sum_to_zero"``. LogisticRegression has no constraint either: its rows
# come out with sum zero, and with Gumbel noise the coefficients here are the same.

none, summed = (fit(X, y, constraint=constraint).coef_ for constraint in [None, "sum_to_zero"])
gumbel = fit(X, y, constraint=None, noise="gumbel").coef_
logistic = LogisticRegression(tol=1e-8, max_iter=1000).fit(X, y).coef_
print("C=1, largest absolute value of")
print(f"None less sum_to_zero             {np.abs(none - summed).max():.0e}")
print(f"LogisticRegression, sum of rows   {np.abs(logistic.sum(axis=0)).max():.0e}")
print(f"LogisticRegression less Gumbel    {np.abs(logistic - gumbel).max():.0e}")

# %%
# A reference class adds to that penalty. With rows :math:`w_k` that sum to zero, and r the
# reference of K classes, the sum of squares that is charged is
#
# .. math:: \sum_k |w_k - w_r|^2 = \sum_k |w_k|^2 + K |w_r|^2,
#
# so that the reference is drawn to the mean of the classes more strongly than the others are. It
# shows in what the penalty leaves of the difference of two growers (the length over the features,
# in per cent of that without a penalty): beside the sum to zero the pairs with the reference lose.


def lengths(clf):
    pairs = [(0, 1), (0, 2), (1, 2)]
    return np.array([np.linalg.norm(clf.coef_[i] - clf.coef_[j]) for i, j in pairs])


print(f"{'C=0.1':12} growers 0, 1  growers 0, 2  growers 1, 2")
for name, params in constraints.items():
    left = lengths(fit(X, y, C=0.1, **params)) / lengths(fits[name])
    print(f"{name:12}" + "".join(f"{share:14.0%}" for share in left))

# %%
# Reference 2 changes least, as the row of grower 2 is the shortest. The probabilities depend on the
# reference, too: those of some wine by .06 at C=1 and by .19 at C=0.1. A penalty so strong that it
# leaves no coefficients leaves no difference; and as the penalty vanishes, the difference does,
# like 1/C.

strengths = np.logspace(-3, 4, 15)
paths = {
    name: np.array([fit(X, y, C=C, **params).predict_proba(X) for C in strengths])
    for name, params in constraints.items()
}
between = np.ptp([paths[name] for name in references], axis=0).max(axis=(1, 2))
for C, difference in zip(strengths[::2], between[::2], strict=True):
    print(f"C={C:<6g} largest |p difference| between two references {difference:.1e}")

# %%
# Does it matter for new wines?
# -----------------------------
# Log loss in cross-validation, with the three measurements and with all 13, all constraints on
# the same folds.

folds = list(RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0).split(X, y))
grid = np.logspace(-1, 2, 7)


def log_losses(data):
    """One loss for each constraint, C and fold."""
    losses = np.empty((len(constraints), len(grid), len(folds)))
    for f, (train, test) in enumerate(folds):
        scaler = StandardScaler().fit(data[train])
        A, B = scaler.transform(data[train]), scaler.transform(data[test])
        for c, params in enumerate(constraints.values()):
            for s, C in enumerate(grid):
                log_p = fit(A, y[train], C=C, tol=1e-5, **params).predict_log_proba(B)
                losses[c, s, f] = -log_p[np.arange(len(test)), y[test]].mean()
    return losses


losses = {"3 features": log_losses(wine.data[features].to_numpy())}
losses["13 features"] = log_losses(wine.data.to_numpy())

fig, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
axes[0].plot(strengths, between, color="0.5", marker="x", label="between references")
for name in references:
    color, marker = styles[name]
    difference = np.abs(paths[name] - paths["sum_to_zero"]).max(axis=(1, 2))
    label = f"{name} to sum_to_zero"
    axes[0].plot(strengths, difference, color=color, marker=marker, markersize=4, label=label)
axes[0].set(title="3 features, the wines fitted", yscale="log", ylabel="largest |p difference|")
for axis, (title, values) in zip(axes[1:], losses.items(), strict=True):
    for shift, name, loss in zip([1, 0.9, 1, 1.1], constraints, values, strict=True):
        color, marker = styles[name]
        spread = (loss - values[0]).std(axis=1, ddof=1) if name in references else None
        look = {"color": color, "marker": marker, "markersize": 5, "label": name}
        axis.errorbar(grid * shift, loss.mean(axis=1), spread, **look)
    axis.set(title=f"{title}, new wines", ylabel="log loss, cross-validated")
for axis in axes:
    axis.set(xlabel="C (weaker penalty to the right)", xscale="log")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)

# %%
# The bars are the spread (one standard deviation) over the folds of the difference to
# ``sum_to_zero``. In numbers, at C=1 and at the best C of each:

for title, values in losses.items():
    best = values.mean(axis=2).argmin(axis=1)
    one = np.flatnonzero(grid == 1)[0]
    print(f"{title:14}     C    loss  difference       best C    loss  difference")
    for c, name in enumerate(constraints):
        row = f"  {name:12}"
        for at, at_sum in [(one, one), (best[c], best[0])]:
            gap = values[c, at] - values[0, at_sum]
            row += f"{grid[at]:6.2g} {values[c, at].mean():7.4f} "
            row += f"{gap.mean():+.4f}±{gap.std(ddof=1):.4f}    "
        print(row.rstrip())

# %%
# At the same C a reference is the stronger penalty. With 13 features and C=1 that costs .005 to
# .009 in log loss, of .056, more than the spread; with three features it costs nothing, as they
# call for more penalty than C=1 is. Once each has its own C, no reference is better or worse by
# more than the spread. So these wines give no reason to try one reference after the other; but a C
# that was chosen with one constraint need not be right for another, nor for another reference.
#
# Two classes
# -----------
# There is one row of coefficients, that of the difference, and the penalty charges its whole
# square. The constraints coincide. Rows +w/2 and -w/2, which sum to zero, would be charged half of
# that; LogisticRegression does the same as is done here.

two = y < 2
ways = [
    {"constraint": None},
    {"constraint": "sum_to_zero"},
    {"constraint": "reference", "reference_class": 0},
    {"constraint": "reference", "reference_class": 1},
]
p = [fit(X[two], y[two], **way).predict_proba(X[two]) for way in ways]
print(f"growers 0 and 1, C=1: max |p difference| {np.ptp(p, axis=0).max():.0e}")
gumbel = fit(X[two], y[two], noise="gumbel").coef_
logistic = LogisticRegression(tol=1e-8, max_iter=1000).fit(X[two], y[two]).coef_
print(f"Gumbel and LogisticRegression: max |coef difference| {np.abs(gumbel - logistic).max():.0e}")

# %%
# Other noise
# -----------
# Nothing in this is special to Gaussian noise. Without a penalty the constraints give the same
# probabilities, and the sum to zero the standard errors of the references; with C=1 the
# references differ in some wine's probabilities by .10 to .18. (That C=1 is not the same for all,
# as the noises have different widths.)

print(f"{'':31}p, C=inf   std_err    p, C=1")
for model, noise in [
    (PerturbArgmaxClassifier, "gumbel"),
    (PerturbArgmaxClassifier, "logistic"),
    (PerturbArgmaxClassifier, "cauchy"),
    (PerturbSoftmaxClassifier, "gaussian"),
]:
    fits = [fit(X, y, model, noise=noise, C=np.inf, **way) for way in constraints.values()]
    p = np.ptp([clf.predict_proba(X) for clf in fits], axis=0).max()
    table, reference = (clf.summary().set_index(["feature", "class"]) for clf in fits[:2])
    gap = std_err_from_sum_to_zero(table, 0, 1) - reference["std_err"].xs(1, level="class")
    penalised = [fit(X, y, model, noise=noise, **constraints[name]) for name in references]
    p_1 = np.ptp([clf.predict_proba(X) for clf in penalised], axis=0).max()
    name = model.__name__.removesuffix("Classifier")
    print(f"{name:15}{noise:14}{p:10.0e}{np.abs(gap).max():10.0e}{p_1:10.3f}")

# %%
# Which one?
# ----------
# With a penalty take the sum to zero, the default, which treats all classes alike; a reference only
# where one class is what the others should be drawn to, such as the good part among kinds of
# defects. Without a penalty the choice is one of questions: a reference where each class is to be
# compared with that one, the sum to zero where no class is special, and the likelihood ratio test
# for whether a feature matters at all. Say which it was wherever a p-value is reported.
# ``None`` is the sum to zero under another name, with a penalty, and has no use without one.
