"""Whether any two public ways to the same log p agree, far into the tail.

For each noise and its twin in scipy.stats, both models, 2 to 100 classes and gaps up to 1000: log p
of a class from `log_proba`, from the likelihood that a fit maximises, and from `scores_from_proba`
and back. The error is in units of what is allowed, 1e-9 + 1e-10 |log p|; above 1 is a fault.

    python benchmarks/routes.py [noise ...]
"""

import sys
import warnings

import numpy as np
from scipy import stats

from skperturb import PerturbArgmax, PerturbSoftmax
from skperturb.noise import from_scipy

LAWS = {
    "gaussian": stats.norm(),
    "gumbel": stats.gumbel_r(),
    "gumbel_min": stats.gumbel_l(),
    "logistic": stats.logistic(),
    "laplace": stats.laplace(),
    "student_t": stats.t(4),
    "cauchy": stats.cauchy(),
    "exponential": stats.expon(),
    "uniform": stats.uniform(-1, 2),
}
CLASSES, GAPS = (2, 5, 12, 20, 100), (0, 1, 10, 60, 300, 700, 900, 1000)
ABSOLUTE, RELATIVE = 1e-9, 1e-10
SMALLEST = np.log(1e-290)  # log p down to which the scores are looked for


def patterns(n_classes, gap):
    """Rows of scores: a best class, the others nearly `gap` below it or between."""
    yield np.append(0.0, -gap * np.linspace(0.9, 1, n_classes - 1))
    yield np.append(0.0, -gap * np.linspace(0.1, 1, n_classes - 1))


def error(ours, theirs):
    """In units of what is allowed; equal infinities are equal."""
    same = ours == theirs
    with np.errstate(invalid="ignore"):
        relative = np.abs(ours - theirs) / (ABSOLUTE + RELATIVE * np.abs(theirs))
    return np.where(same, 0.0, np.nan_to_num(relative, nan=np.inf)).max()


def routes(model, scores):
    """Errors of the likelihood and of the inverse against `log_proba`."""
    n_classes = len(scores)
    log_p = model.log_proba(scores[None])[0]
    chosen = np.unique([0, 1, n_classes // 2, n_classes - 1])
    # The likelihood is not public: it is what `fit` calls.
    likelihood = model._kernel(n_classes).log_likelihood
    own, _ = likelihood(np.repeat(scores[None], len(chosen), 0), chosen)
    yield error(own, log_p[chosen])
    if log_p.min() > SMALLEST and len(np.unique(scores)) == n_classes:
        back = model.log_proba(model.scores_from_proba(np.exp(log_p)[None]))[0]
        yield error(back, log_p)


def main(chosen):
    print("model           noise                   likelihood  inverse  at (classes, gap)")
    for model in (PerturbArgmax, PerturbSoftmax):
        for name, law in LAWS.items():
            if chosen and name not in chosen:
                continue
            for label, noise in ((name, name), (f"scipy {law.dist.name}", from_scipy(law))):
                worst, where = [0.0, 0.0], None
                for n_classes in CLASSES:
                    for gap in GAPS:
                        for scores in patterns(n_classes, gap):
                            found = list(routes(model(noise), scores))
                            if max(found) > max(worst):
                                where = (n_classes, gap)
                            worst[: len(found)] = np.maximum(worst[: len(found)], found)
                print(
                    f"{model.__name__:15} {label:22} {worst[0]:10.3g} {worst[1]:9.3g}  {where}",
                    flush=True,
                )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
