"""The same models fitted by other means: closed forms, quadrature and Monte Carlo of others.

    python benchmarks/peers.py [--parts probit mnlogit biogeme xlogit montecarlo] [--rows N]
                               [--draws N ...] [--rounds N]

Maximum likelihood (C=inf) of 4 classes, or 2, on 5 normal features. `ours/theirs` is the ratio of
median fit times, `log lik.` our log likelihood less theirs, both as each reports its own. What a
package makes on the way, standard errors or compiled code, is in its time. A part whose package is
not installed is left out (pip install statsmodels biogeme xlogit).
"""

import argparse
import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from _timing import clock, in_turn, machine, table
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr
from sklearn.base import ClassifierMixin

from skperturb import PerturbArgmax, PerturbArgmaxClassifier, PerturbSoftmaxClassifier

N_FEATURES, N_CLASSES = 5, 4


def choices(n_rows, n_classes=N_CLASSES, gumbel=False):
    """Normal features; the class of the largest linear score plus Gaussian (and Gumbel) noise."""
    rng = np.random.default_rng(0)
    X, directions = rng.normal(size=(n_rows, N_FEATURES)), rng.normal(size=(N_FEATURES, n_classes))
    noise = rng.normal(size=(n_rows, n_classes)) + gumbel * rng.gumbel(size=(n_rows, n_classes))
    return X, (X @ directions / 2 + noise).argmax(axis=1)


class Peer(NamedTuple):
    """Another program that fits: `fit()` gives a result, `judge` its log likelihood and a note."""

    name: str
    ours: ClassifierMixin
    data: tuple
    fit: Callable
    judge: Callable

    def race(self, row, rounds):
        """Time both in turn, after a fit of each that is not timed, and print a line."""
        result, ours = self.fit(), self.ours.fit(*self.data)
        log_likelihood, note = self.judge(result)
        seconds = in_turn(
            {"ours": clock(lambda: ours.fit(*self.data)), "theirs": clock(self.fit)}, rounds
        )
        ratio = seconds["ours"] / seconds["theirs"]
        better = ours.log_likelihood_ - log_likelihood
        row(self.name, seconds["theirs"], seconds["ours"], ratio, better, note)


def probit(args):
    from statsmodels.api import Probit, add_constant

    X, y = choices(args.rows, n_classes=2)
    ours = PerturbArgmaxClassifier("gaussian", C=np.inf)

    def judge(result):  # the difference of two noises has variance 2
        theirs = np.sqrt(2) * result.params
        error = np.abs(theirs - np.append(ours.intercept_, ours.coef_)).max()
        return result.llf, f"binary probit; coefficients differ by {error:.0e} at most"

    fit = partial(Probit(y, add_constant(X)).fit, disp=0)
    yield Peer("statsmodels Probit", ours, (X, y), fit, judge)


def mnlogit(args):
    from statsmodels.api import MNLogit, add_constant

    X, y = choices(args.rows)
    ours = PerturbArgmaxClassifier("gumbel", C=np.inf, constraint="reference")

    def judge(result):
        coef = np.column_stack([ours.intercept_, ours.coef_])[1:]
        error = np.abs(np.asarray(result.params).T - coef).max()
        return result.llf, f"multinomial logit; coefficients differ by {error:.0e} at most"

    fit = partial(MNLogit(y, add_constant(X)).fit, disp=0)
    yield Peer("statsmodels MNLogit", ours, (X, y), fit, judge)


def biogeme(args):
    from biogeme.biogeme import BIOGEME
    from biogeme.database import Database
    from biogeme.expressions import (
        Beta,
        Elem,
        IntegrateNormal,
        NormalCdf,
        RandomVariable,
        Variable,
        log,
    )
    from biogeme.parameters import Parameters

    logging.disable(logging.WARNING)
    X, y = choices(args.rows)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(N_FEATURES)]).assign(y=y)

    def score(k):
        score = Beta(f"intercept_{k}", 0, None, None, 0)
        for j in range(N_FEATURES):
            score += Beta(f"coef_{k}_{j}", 0, None, None, 0) * Variable(f"x{j}")
        return score

    def probability_given_own_noise(k, scores):
        probability = 1
        for other, of_other in enumerate(scores):
            if other != k:
                probability *= NormalCdf(RandomVariable("noise") + scores[k] - of_other)
        return probability

    def fit(points):
        scores = [0, *(score(k) for k in range(1, N_CLASSES))]
        given = {k: probability_given_own_noise(k, scores) for k in range(N_CLASSES)}
        log_p = log(IntegrateNormal(Elem(given, Variable("y")), "noise", points))
        quiet = dict.fromkeys(("generate_html", "generate_yaml", "save_iterations"), False)
        model = BIOGEME(Database("data", frame), log_p, parameters=Parameters(), **quiet)
        model.model_name = "probit"
        return model.estimate()

    def judge(result):
        return result.final_log_likelihood, "multinomial probit"

    for points in args.points:
        name = f"biogeme, {points} quadrature points"
        ours = PerturbArgmaxClassifier("gaussian", C=np.inf)
        yield Peer(name, ours, (X, y), partial(fit, points), judge)


def xlogit(args):
    from xlogit import MixedLogit

    X, y = choices(args.rows, gumbel=True)
    of_class = np.eye(N_CLASSES)[None].repeat(len(X), axis=0)  # a row for each class of each row
    slopes = [X[:, j, None, None] * of_class[:, :, 1:] for j in range(N_FEATURES)]
    names = [f"x{j}_{k}" for j in range(N_FEATURES) for k in range(1, N_CLASSES)]
    noise = {f"noise_{k}": "n" for k in range(N_CLASSES)}
    data = {
        "X": np.concatenate([*slopes, of_class], axis=2).reshape(len(X) * N_CLASSES, -1),
        "varnames": [*names, *noise],
        "alts": np.tile(np.arange(N_CLASSES), len(X)),
        "ids": np.repeat(np.arange(len(X)), N_CLASSES),
        "n_draws": max(draws for draws in args.draws if draws <= 1000),
        "verbose": 0,
    }

    def fit():
        model = MixedLogit()
        # Its BFGS inverts a matrix that is singular here: the mean of one noise is free to choose.
        options = {"optim_method": "L-BFGS-B", "skip_std_errs": True}
        model.fit(y=np.eye(N_CLASSES)[y].ravel(), randvars=noise, **options, **data)
        return model

    def judge(model):
        """And our model by its simulation: our coefficients, all standard deviations 1."""
        slopes = (ours.coef_ - ours.coef_[0])[1:].T.ravel()
        fitted, model.coeff_ = model.loglikelihood, np.r_[slopes, ours.intercept_, [1] * N_CLASSES]
        p = model.predict(return_proba=True, **data)[1][np.arange(len(y)), y]
        error = np.log(p).sum() - ours.log_likelihood_
        note = "another model: standard deviations free; at ours, 1, and our coefficients"
        return fitted, f"{note} its log lik. is off by {error:+.2f}"

    ours = PerturbSoftmaxClassifier("gaussian", C=np.inf)
    yield Peer(f"xlogit MixedLogit, {data['n_draws']} draws", ours, (X, y), fit, judge)


class MonteCarlo:
    """P(y) = E[prod_{j != y} Phi(z + s_y - s_j)], z normal, as a mean over fixed draws."""

    def __init__(self, X, y, draws):
        self.design = np.column_stack([np.ones(len(X)), X])
        self.y, self.draws = y, draws
        others = np.arange(N_CLASSES)[None].repeat(len(y), axis=0)
        self.others = others[others != y[:, None]].reshape(len(y), -1)
        self.z = np.random.default_rng(1).normal(size=(len(X), draws))
        self.block = max(1, 1_000_000 // (draws * N_CLASSES))

    def log_proba(self, scores, gradient=False):
        """Log p of the classes seen, (n,), and its derivatives in the scores if asked for."""
        n, y = np.arange(len(self.y)), self.y
        log_p, slopes = np.empty(len(y)), np.zeros(scores.shape)
        gaps = scores[n, y][:, None] - np.take_along_axis(scores, self.others, axis=1)
        for start in range(0, len(y), self.block):
            rows = slice(start, start + self.block)
            x = gaps[rows, :, None] + self.z[rows, None, :]
            each = np.maximum(ndtr(x), 1e-300)
            product = each.prod(axis=1)
            p = product.mean(axis=1)
            log_p[rows] = np.log(p)
            if gradient:
                density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
                slope = (density / each * product[:, None]).mean(axis=2) / p[:, None]
                np.put_along_axis(slopes[rows], self.others[rows], -slope, axis=1)
        slopes[n, y] = -slopes.sum(axis=1)
        return (log_p, slopes) if gradient else log_p

    def fit(self):
        """Scores of the rows at the largest simulated likelihood, by L-BFGS from zero."""

        def objective(free):
            coef = np.column_stack([free.reshape(self.design.shape[1], -1), 0 * free[: self.width]])
            log_p, slopes = self.log_proba(self.design @ coef, gradient=True)
            return -log_p.mean(), -(self.design.T @ slopes[:, :-1]).ravel() / len(log_p)

        self.width = self.design.shape[1]
        start = np.zeros(self.width * (N_CLASSES - 1))
        free = minimize(objective, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-4}).x
        scores = self.design @ free.reshape(self.width, -1)
        return np.column_stack([scores, np.zeros(len(scores))])


def by_trapezoids(scores, y):
    """Log p of the classes seen, exact to rounding: the integrand is smooth and decays."""
    z = np.linspace(-13, 13, 521)
    gaps = scores[np.arange(len(y)), y][:, None] - scores
    gaps[np.arange(len(y)), y] = np.inf
    log_terms = log_ndtr(gaps[:, :, None] + z).sum(axis=1) - z**2 / 2
    return np.log(np.exp(log_terms).sum(axis=1) * (z[1] - z[0]) / np.sqrt(2 * np.pi))


def montecarlo(args):
    X, y = choices(args.rows)
    ours = PerturbArgmaxClassifier("gaussian", C=np.inf).fit(X, y)
    peers = {draws: MonteCarlo(X, y, draws) for draws in args.draws}
    measurements = {draws: clock(peer.fit) for draws, peer in peers.items()}
    seconds = in_turn({"ours": clock(lambda: ours.fit(X, y)), **measurements}, args.rounds)
    scores = ours.decision_function(X)
    exact = by_trapezoids(scores, y)

    def error(log_p):
        return np.sqrt(np.mean((log_p - exact) ** 2))

    errors = {draws: error(peer.log_proba(scores)) for draws, peer in peers.items()}
    our_error = error(ours.predict_log_proba(X)[np.arange(len(y)), y])
    print("\nMonte Carlo in NumPy of the Gaussian Perturb-Argmax, fitted by L-BFGS")
    row = table(
        *(("draws", 32, ">s"), ("rms error of log p", 20, ".1e"), ("log lik. lost", 15, ".1e")),
        *(("seconds", 12, ".3g"), ("ours/theirs", 13, ".1e"), ("bar", 7, ".2f")),
    )
    row("none: ours", our_error, 0.0, seconds["ours"], 1.0, None)
    for draws, peer in peers.items():
        log_p = PerturbArgmax("gaussian").log_proba(peer.fit())[np.arange(len(y)), y]
        lost = ours.log_likelihood_ - log_p.sum()
        ratio = seconds["ours"] / seconds[draws]
        row(str(draws), errors[draws], lost, seconds[draws], ratio, None)
    # Error ~ draws**-1/2, time ~ draws.
    constant = np.median([error * np.sqrt(draws) for draws, error in errors.items()])
    most = max(args.draws)
    for what, wanted in (("at error 1e-6", 1e-6), ("at our error", max(our_error, 1e-16))):
        draws = (constant / wanted) ** 2
        theirs = seconds[most] * draws / most
        row(f"{draws:.0e}, {what}", wanted, None, theirs, seconds["ours"] / theirs, 0.01)
    print("The last two rows are extrapolated: error ~ draws**-1/2, time ~ draws.")


PEERS = {"probit": probit, "mnlogit": mnlogit, "biogeme": biogeme, "xlogit": xlogit}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = [*PEERS, "montecarlo"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--draws", nargs="+", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--points", nargs="+", type=int, default=[30], help="of biogeme")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine())
    row = table(
        *(("peer", 32, ""), ("seconds", 9, ".3f"), ("ours, s", 9, ".3f")),
        *(("ours/theirs", 13, ".3f"), ("log lik.", 11, ".1e"), ("  ", 2, "")),
    )
    for part in PEERS:
        if part not in args.parts:
            continue
        try:
            for peer in PEERS[part](args):
                peer.race(row, args.rounds)
        except ModuleNotFoundError as error:
            print(f"{part}: {error.name} is not installed, left out.")
        except np.linalg.LinAlgError as error:
            print(f"{part}: the peer fails on these data ({error}), left out.")
    if "montecarlo" in args.parts:
        montecarlo(args)


if __name__ == "__main__":
    main()
