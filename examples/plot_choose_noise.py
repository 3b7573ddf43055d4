"""
Choosing the noise on three data sets
=====================================

Which noise predicts best is a question to the data. ``PerturbArgmaxClassifierCV`` answers it by
leaving out one row at a time, without refits, and stays with Gumbel noise (logistic regression)
unless Student-t noise is clearly better.
"""

# %%
# Three data sets of scikit-learn, half of the rows to fit to and half to test.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skperturb import PerturbArgmaxClassifierCV

fitted = {}
for load in (load_wine, load_breast_cancer, load_digits):
    name = load.__name__.removeprefix("load_")
    X, y = load(return_X_y=True)
    if name == "digits":  # the middle of the pictures, and the first of them
        X, y = X[:600, 18:46:4], y[:600]
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    scaler = StandardScaler().fit(X)
    clf = PerturbArgmaxClassifierCV().fit(scaler.transform(X), y)
    fitted[name] = clf
    loss = log_loss(y_test, clf.predict_proba(scaler.transform(X_test)))
    print(f"{name}: {clf.noise_}, C={clf.C_:.3g}")
    print(f"leave-one-out {-clf.best_score_:.3f}, test {loss:.3f}")
    print(clf.candidates_, end="\n\n")

# %%
# A gain counts only if it exceeds its standard error. Where it does not, the noises predict equally
# well, and the first one is kept. The leave-one-out loss that decided is the best of many; the test
# loss is the one to report.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, (name, clf) in zip(axes, fitted.items(), strict=True):
    for noise, scores, errors in zip(clf.noises_, clf.scores_, clf.scores_std_error_, strict=True):
        ax.errorbar(clf.Cs_, -scores, errors, label=str(noise), capsize=2)
    ax.set(xscale="log", xlabel="C", title=name)
axes[0].set_ylabel("leave-one-out log loss")
axes[0].legend()
plt.show()
