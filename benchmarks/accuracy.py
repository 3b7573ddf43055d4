"""Accuracy of log p against published 30-digit probabilities, by noise and model.

Run it with the folder of the reference file, if it is not where SKPERTURB_DATA says:

    python benchmarks/accuracy.py [probabilities.json]
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from skperturb import PerturbArgmax, PerturbSoftmax

NOISES = ("gaussian", "gumbel", "logistic")
DATA = Path(os.environ.get("SKPERTURB_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA.parent / "reference/probabilities.json"
    if not path.exists():
        raise SystemExit(f"{path} is not there; name the reference file.")
    worst, count = defaultdict(float), defaultdict(int)
    for case in json.loads(path.read_text())["cases"]:
        if case["noise"] not in NOISES:
            continue
        temperature = case.get("temperature")
        if case["model"] == "argmax":
            model = PerturbArgmax(case["noise"])
        else:
            model = PerturbSoftmax(case["noise"], temperature=temperature)
        p = np.array(case["p"], dtype=float)
        error = np.abs(model.log_proba([case["scores"]])[0] - np.log(p))[p >= 1e-12]
        key = case["model"], case["noise"], temperature
        worst[key] = max(worst[key], error.max())
        count[key] += 1
    print(f"{'model':8} {'noise':10} {'temperature':>11} {'cases':>6} {'worst |d log p|':>16}")
    for (model, noise, temperature), error in worst.items():
        cases = count[model, noise, temperature]
        print(f"{model:8} {noise:10} {temperature or '':>11} {cases:>6} {error:>16.1e}")


if __name__ == "__main__":
    main()
