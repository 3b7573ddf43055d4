"""``skperturb compare --cluster``: fits on a Dask cluster, with the numbers of this machine."""

import json
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from skperturb.cli import _cluster, main

from ._data import parts_of_lots

needs_distributed = pytest.mark.skipif(
    find_spec("distributed") is None, reason="needs the extra cluster"
)
STUDY = ["compare", "parts.csv", "--target", "defect", "--groups", "lot", "--cv", "2x2"]
STUDY += ["--estimators", "class_frequencies", "logistic_regression", "perturb_argmax"]


@pytest.fixture(autouse=True)
def parts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    parts_of_lots().to_csv("parts.csv", index=False)


@contextmanager
def local_cluster(n_workers):
    import distributed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def address():
    pytest.importorskip("distributed")
    with local_cluster(1) as cluster:
        yield cluster.scheduler_address


def results(*options):
    """What a study writes, but for its command and times."""
    assert main([*STUDY, *options, "--json", "results.json"]) == 0
    return json.loads(Path("results.json").read_text())


def without_times(content):
    for row in content["estimators"]:
        for name in [name for name in row if "second" in name]:
            del row[name]
    return content


def test_the_workers_give_the_same_numbers(address, capsys):
    here = without_times(results())
    there = without_times(results("--cluster", address, "--save-config", "study.toml"))
    assert there == here
    assert f'cluster = "{address}"' in Path("study.toml").read_text()
    # A file of options names the cluster, too.
    assert main(["compare", "--config", "study.toml", "--json", "again.json"]) == 0
    assert without_times(json.loads(Path("again.json").read_text())) == here


@needs_distributed
@pytest.mark.parametrize("wrong", ["tcp://127.0.0.1:9", "nowhere", "ftp://127.0.0.1:9", "tcp://:x"])
def test_a_wrong_address_is_one_sentence(wrong, monkeypatch, capsys):
    monkeypatch.setattr(_cluster, "_SECONDS", 0.2)
    assert main([*STUDY, "--cluster", wrong]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "skperturb: " in line]
    assert len(said) == 1
    assert f"--cluster {wrong!r}: no Dask scheduler answers there" in said[0]
    assert said[0].endswith(".")


@needs_distributed
def test_a_cluster_without_workers_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(_cluster, "_SECONDS", 0.3)
    with local_cluster(0) as empty:
        assert main([*STUDY, "--cluster", empty.scheduler_address]) == 2
    assert "has no workers: start some with 'dask worker" in capsys.readouterr().err


def test_workers_with_another_version_are_refused(address, monkeypatch, capsys):
    monkeypatch.setitem(_cluster._NEEDED, "scikit-learn", "0.1")
    assert main([*STUDY, "--cluster", address]) == 2
    assert "1 worker of the cluster" in (err := capsys.readouterr().err)
    assert "has another scikit-learn than 0.1" in err


def test_workers_without_the_package_are_refused(address, monkeypatch, capsys):
    monkeypatch.setitem(_cluster._PLACES, "skperturb", "no_such_package.__version__")
    assert main([*STUDY, "--cluster", address]) == 2
    assert "another skperturb than" in (err := capsys.readouterr().err)
    assert "('none')" in err


def test_a_missing_package_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main([*STUDY, "--cluster", "tcp://127.0.0.1:9"]) == 2
    assert "--cluster needs distributed: pip install" in capsys.readouterr().err


def test_jobs_are_of_this_machine(capsys):
    assert main([*STUDY, "--cluster", "tcp://127.0.0.1:9", "--jobs", "2"]) == 2
    assert "--jobs is for the cores of this machine" in capsys.readouterr().err
