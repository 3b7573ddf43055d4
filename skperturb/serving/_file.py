"""A model in a file, with its account: saved by skops, and loaded without running anything."""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from .._version import __version__
from ..parts import write_bytes
from ._trust import TYPES, foreign

FORMAT = 1  # of the file; another one is refused
_MOST_BYTES = 1 << 30  # of a file, unpacked
_ACCOUNT, _SCHEMA = "account.json", "schema.json"
_NEEDS = "Model files need skops: pip install 'skperturb[serve]'."


@dataclass(frozen=True)
class SavedModel:
    """A fitted pipeline and what is known of it: the content of a model file.

    Attributes
    ----------
    pipeline : Pipeline
        Fitted. Its ``predict_proba`` takes a DataFrame with the columns that the account names, in
        that order; the probabilities are those of the study, not yet converted to ``prevalence``.
    account : dict
        Text, numbers, lists and dictionaries alone, as in JSON. ``"classes"``: list of str, in
        the order of the probabilities. ``"target"``, ``"estimator"``, ``"model"``: str;
        ``"noise"``: str or None.
        ``"columns"``: one dict for each feature, which
        :meth:`skperturb.parts.FeatureColumn.from_dict` takes. ``"costs"``: None, or a dict of
        ``"decisions"`` (list of str) and ``"matrix"`` (a row for each class). ``"prevalence"``:
        None, or a dict of ``"line"`` and ``"study"``: a share for each class. ``"good"``: str or
        None. ``"watch"``: what :class:`Watch` begins with, or None. ``"performance"``: figures of
        parts that the fit did not see. ``"parts"``, ``"source"``, ``"sha256"``, ``"notes"``,
        ``"command"``, ``"date"``, ``"versions"``: where it comes from.
    arrays : dict of str to ndarray
        What prediction and monitoring need besides, such as the covariance of the coefficients.
        ``"left_out_proba"`` (n, n_classes) and ``"left_out_truth"`` (n,), codes of classes, are
        predictions of parts that the fit did not see: 5000 at most, at random.

    Examples
    --------
    >>> from skperturb.serving import SavedModel
    >>> SavedModel(None, {"classes": ["dent", "ok"]}).classes
    ['dent', 'ok']
    """

    pipeline: Any
    account: dict[str, Any]
    arrays: Mapping[str, NDArray] = field(default_factory=dict, repr=False)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities."""
        return self.account["classes"]


def save_model(path: str | PathLike, model: SavedModel) -> None:
    """Write a model file: all of it, or nothing.

    Parameters
    ----------
    path : str or path
        The file, such as "model.skops".
    model : SavedModel
        What it is to hold.

    Raises
    ------
    ImportError
        If skops is not installed.
    ValueError
        If the pipeline consists of types that :func:`load_model` would refuse, or the file cannot
        be written.

    Examples
    --------
    >>> from skperturb.serving import load_model, save_model
    >>> save_model("model.skops", load_model("other.skops"))  # doctest: +SKIP
    """
    skops = _skops()
    saved = io.BytesIO(
        skops.dumps(
            {"pipeline": model.pipeline, "arrays": dict(model.arrays)},
            compression=zipfile.ZIP_DEFLATED,
        )
    )
    with zipfile.ZipFile(saved) as archive:
        strange = foreign(json.loads(archive.read(_SCHEMA)))
    if strange is not None:
        raise ValueError(
            f"The pipeline holds {strange}, which no model file may hold: save it with joblib."
        )
    account = {"format": FORMAT, **model.account}
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_ACCOUNT, json.dumps(account, ensure_ascii=False, allow_nan=False))
    write_bytes(str(path), saved.getvalue())


def load_model(path: str | PathLike) -> SavedModel:
    """Read a model file, and run nothing that it may hold.

    Every type in the file is compared with a list of those that ``skperturb train`` makes: its
    classifiers, and the estimators of scikit-learn that it uses. If there is another one, the file
    is refused before any object is made of it.

    Parameters
    ----------
    path : str or path
        A file that ``skperturb train`` or :func:`save_model` wrote.

    Returns
    -------
    SavedModel
        The model, whose predictions are those of the saved one to the last bit.

    Raises
    ------
    ImportError
        If skops is not installed.
    ValueError
        If there is no such file, if it is damaged or no model file, or if it holds anything that no
        model consists of; one sentence that says why.

    Warns
    -----
    UserWarning
        If another minor version of skperturb or scikit-learn wrote the file.

    Examples
    --------
    >>> from skperturb.serving import load_model
    >>> load_model("model.skops").classes  # doctest: +SKIP
    ['dent', 'ok']
    """
    skops = _skops()
    name = str(path)
    content = _content(path, name)
    no_model = f"{name} is no model file that 'skperturb train' wrote"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise ValueError(f"{name} is refused: it is larger than any model, unpacked.")
            schema = json.loads(archive.read(_SCHEMA))
            members = archive.namelist()
            account = json.loads(archive.read(_ACCOUNT)) if _ACCOUNT in members else None
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RecursionError, RuntimeError):
        raise ValueError(f"{no_model}, or it is damaged.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, EOFError, OSError):
        raise ValueError(f"{no_model}, or it is damaged.") from None
    strange = foreign(schema)
    if strange is not None:
        raise ValueError(
            f"{name} is refused: it holds {strange}, of which no model of 'skperturb train' "
            "consists; nothing in it was run."
        )
    if not isinstance(account, dict) or account.get("format") != FORMAT:
        raise ValueError(f"{no_model} in a version that this one can read.")
    said = _other_versions(account)
    if said:
        warnings.warn(f"{name} {said}", UserWarning, stacklevel=2)
    try:
        with warnings.catch_warnings():
            # What scikit-learn says of its version has just been said.
            warnings.simplefilter("ignore")
            held = skops.loads(content, trusted=sorted(TYPES))
        model = SavedModel(held["pipeline"], account, held["arrays"])
        sound = isinstance(model.pipeline, Pipeline) and all(
            isinstance(array, np.ndarray) for array in model.arrays.values()
        )
        sound = sound and list(model.pipeline.classes_) == model.classes
    except Exception as error:  # whatever a damaged file makes skops raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{name} cannot be loaded: {reason.rstrip('.')}.") from None
    if not sound:
        raise ValueError(f"{no_model}, or it is damaged.")
    return model


def _skops():
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(_NEEDS) from error
    return skops.io


def _content(path, name):
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES)
    except FileNotFoundError:
        raise ValueError(f"There is no file {name}.") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}.") from None


def _other_versions(account):
    """What is to be said if another minor version wrote the file."""
    import sklearn

    written = account.get("versions", {})
    for package, here in (("skperturb", __version__), ("scikit-learn", sklearn.__version__)):
        there = str(written.get(package, here))
        if there.split(".")[:2] != here.split(".")[:2]:
            return (
                f"was written with {package} {there}, and this is {here}: predictions may differ; "
                "train the model again."
            )
    return ""
