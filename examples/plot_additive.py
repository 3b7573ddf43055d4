"""
Curves an engineer can read: the thickness at which plates begin to fail
========================================================================

A line says that a thicker plate is safer, by the same amount everywhere. What an engineer wants to
know is at which thickness plates begin to fail, and how sure that is. Here a threshold is planted
in simulated data, with a curve and a feature that means nothing, and the additive classifier has to
find all three.
"""

# %%
# The data
# --------
# Plates thinner than 2.4 mm fail more often, at once; heat does harm on both sides of 180 degrees;
# the shift does nothing.

import numpy as np
import pandas as pd

from skperturb.additive import AdditiveClassifier

rng = np.random.default_rng(0)
n = 1500
X = pd.DataFrame(
    {
        "thickness": rng.uniform(1.5, 3.5, n),
        "heat": rng.normal(180, 12, n),
        "shift": rng.choice(["early", "late", "night"], n),
    }
)
score = np.where(X["thickness"] < 2.4, 1.5, -1.5) + ((X["heat"] - 180) / 12) ** 2 - 1
y = np.where(score + rng.logistic(size=n) > 0, "fails", "good")
y = pd.Categorical(y, ["good", "fails"]).codes  # 1: the plate fails

# %%
# The fit
# -------
# Knots, smoothness and jumps are chosen by rows that the fit has not seen. The jump is where it was
# planted.

clf = AdditiveClassifier().fit(X, y)
print(clf.candidates_)
names = list(X.columns)
for feature, threshold in clf.jumps_:
    print(f"{names[feature]} jumps at {threshold:.3f}")

# %%
# The curves
# ----------
# The most important feature comes first; the bands are pointwise intervals of 95 %.

figure = clf.plot_curves()
print([axis.get_title() for axis in figure.axes])

# %%
# The reasons for one plate
# -------------------------

print(clf.contributions(X.iloc[:1]).T)

# %%
# A monotone curve
# ----------------
# Where physics says that a thicker plate is never worse, the curve can be held to that, exactly.

held = AdditiveClassifier(monotone={"thickness": -1}).fit(X, y)
curve = held.curves().query("feature == 'thickness'")["score"]
print(f"largest rise: {np.diff(curve).max():.1e}")
