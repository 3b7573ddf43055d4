"""What CONTRIBUTING.md tells a contributor to write works as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_new_noise_is_one_class_and_one_line(tmp_path):
    """The source on the page, added to a copy of the package."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (source,) = re.findall(r"```python\n(class HalfNormal.*?)```", page, re.DOTALL)
    (line,) = re.findall(r"```python\n(    \"half_normal\".*?)```", page, re.DOTALL)
    assert line.count("\n") == 1
    shutil.copytree(
        ROOT / "skperturb", tmp_path / "skperturb", ignore=shutil.ignore_patterns("__pycache__")
    )
    path = tmp_path / "skperturb" / "noise" / "_families.py"
    families, registry, names = path.read_text().partition("\n\n# The one list of names")
    assert names.rstrip().endswith("\n}")
    path.write_text(f"{families}\n\n{source}{registry}{names.rstrip()[:-1]}{line}}}\n")
    script = """
import doctest, numpy as np, skperturb
from scipy import stats
from skperturb.noise import Gaussian, HalfNormal, as_noise
noise = as_noise("half_normal", 2.0)
assert noise == HalfNormal(2.0) and "HalfNormal" in skperturb.noise.__all__
assert '"half_normal"' in as_noise.__doc__
try:
    as_noise("nobody")
except ValueError as error:
    assert "'half_normal'" in str(error)
doctests = doctest.testmod(skperturb.noise)
assert doctests.attempted > 20 and doctests.failed == 0
x = np.linspace(0.01, 9, 50)
for name in ("pdf", "cdf", "logpdf", "logcdf", "logsf"):
    twin = getattr(stats.halfnorm(scale=2.0), name)(x)
    np.testing.assert_allclose(getattr(noise, name)(x), twin, rtol=1e-9)
# Two classes: P(a - b < d) for half-normal a, b, by plain quadrature.
p = skperturb.PerturbArgmax("half_normal").proba([[0.7, 0.0]])[0, 0]
z, weights = np.polynomial.legendre.leggauss(200)
a, b = 5 * (z + 1), 5 * (z + 1)
law = stats.halfnorm
np.testing.assert_allclose(p, 5 * weights @ (law.pdf(b) * law.cdf(b + 0.7)), rtol=1e-10)
for Classifier in (skperturb.PerturbArgmaxClassifier, skperturb.PerturbSoftmaxClassifier):
    X = np.linspace(-2, 2, 40)[:, None]
    clf = Classifier("half_normal").fit(X, np.sin(9 * X[:, 0]) + X[:, 0] > 0)
    assert clf.score(X, np.sin(9 * X[:, 0]) + X[:, 0] > 0) > 0.7
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
