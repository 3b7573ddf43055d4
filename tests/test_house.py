"""The rules of the house: who may import whom, what is public, how it is documented.

A violation that is known and not mended yet is a line of ``house_debt.txt``. The file must shrink:
a line that is no longer needed fails, too.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate

import skperturb
from skperturb.noise import Discrete, Noise, ScipyNoise, _families, as_noise
from skperturb.noise._families import FAMILIES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skperturb"
LONGEST = 480  # lines of a module

# What each module or package of skperturb may import, with all that these may import in turn.
MAY_IMPORT = {
    "noise": ["_cache", "_sklearn"],
    "_engine": ["noise", "_threads", "_warnings"],
    "_completeness": ["_engine", "_results"],
    "models": ["_completeness", "_warnings"],
    "_linalg": [],
    "_linear": ["_engine", "_linalg", "_results", "_data", "_warnings"],
    "inference": ["models", "_linear", "_data", "_warnings"],
    "representation": ["models", "_linear"],
    "leave_out": ["inference"],
    "_label_noise": ["leave_out"],
    "_label_doubts": ["_label_noise"],
    "_prediction_methods": ["_linear"],
    "_classifier": ["_label_doubts", "_prediction_methods", "representation", "_callbacks"],
    "classifiers": ["_classifier"],
    "model_selection": ["classifiers"],
    "saving": ["classifiers"],
    "additive": ["model_selection"],
    "blocks": ["additive"],
    "torch": ["blocks"],
    "onnx": ["blocks"],
    "evaluation": ["_results", "_version"],
    "parts": ["_results", "_version"],
    "serving": ["blocks", "saving", "evaluation", "parts"],
    "_versions": ["_engine", "_version"],
    "skperturb": ["model_selection", "_versions", "_cache"],  # the names of the package itself
    "cli": ["blocks", "serving", "skperturb"],
    "__main__": ["cli"],
    "_cache": [],
    "_data": ["_array_api"],
    "_array_api": ["_sklearn", "_warnings"],
    "_sklearn": [],
    "_warnings": [],
    "_threads": [],
    "_callbacks": [],
    "_results": [],
    "_version": [],
}


def owed(kind, found):
    """Hold what was found against the known violations of this kind."""
    path = ROOT / "tests" / "house_debt.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    known = {line.removeprefix(f"{kind}: ") for line in lines if line.startswith(f"{kind}: ")}
    new, mended = sorted(set(found) - known), sorted(known - set(found))
    assert not new, "new violations:\n" + "\n".join(f"{kind}: {line}" for line in new)
    assert not mended, "mended; delete from house_debt.txt:\n" + "\n".join(
        f"{kind}: {line}" for line in mended
    )


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports(module):
    """The modules of skperturb that a module imports anywhere in its text, by full name."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                full = f"{source}.{alias.name}"
                found.add(full if full in MODULES else source)
    return {name for name in found if name.split(".")[0] == "skperturb"} - {module}


def room(module):
    return module.split(".")[1] if "." in module else module


def reachable(name):
    return {name}.union(*(reachable(above) for above in MAY_IMPORT[name]))


def test_every_module_has_its_place():
    assert {room(module) for module in MODULES} <= MAY_IMPORT.keys()


def test_modules_import_in_one_direction():
    owed(
        "import",
        {
            f"{module} imports {other}"
            for module in MODULES
            for other in imports(module)
            if room(other) not in reachable(room(module))
        },
    )


def test_modules_use_the_face_of_other_packages():
    """No file of a package is imported from outside it, only what the package itself exports."""
    owed(
        "face",
        {
            f"{module} imports {other}"
            for module in MODULES
            for other in imports(module)
            if room(other) != room(module)
            and any(part.startswith("_") for part in other.split(".")[2:])
        },
    )


def test_no_module_imports_itself_by_a_detour():
    graph = {module: imports(module) for module in MODULES}
    # The package's face imports its files; that they lie inside it is no import of theirs.
    list(TopologicalSorter(graph).static_order())


def test_modules_are_short():
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    owed("long", {module for module, length in lengths.items() if length > LONGEST})


# --- What is public


# Parts whose package is missing; bash .ci/torch runs this file where torch is there.
WITHOUT = () if importlib.util.find_spec("torch") else ("torch",)


@cache
def public_modules():
    names = ["skperturb"] + [
        info.name
        for info in pkgutil.walk_packages(skperturb.__path__, "skperturb.")
        if not any(part.startswith("_") for part in info.name.split("."))
        # The command line has its own help; onnx needs its extra, and has no names.
        and info.name.split(".")[1] not in ("cli", "onnx", *WITHOUT)
    ]
    modules = {name: importlib.import_module(name) for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "__all__")}


@cache
def public_names():
    """Every public object by each of its addresses; submodules and __version__ aside."""
    return {
        f"{name}.{attribute}": value
        for name, module in public_modules().items()
        for attribute in module.__all__
        if callable(value := getattr(module, attribute)) and not attribute.startswith("__")
    }


@cache
def documented_names():
    """The entries of the reference, by full name."""
    names, current = [], ""
    for line in (ROOT / "docs" / "api.rst").read_text().splitlines():
        if match := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            current = match[1]
        elif current.removeprefix("skperturb.") in WITHOUT:
            continue
        elif match := re.fullmatch(r"   (\w[\w.]*)", line):
            names.append(f"{current}.{match[1]}")
    return names


def test_the_reference_lists_every_public_name_and_nothing_else():
    public, documented = public_names(), documented_names()
    assert len(set(documented)) == len(documented)
    owed("reference", {f"{name} is not public" for name in documented if name not in public})
    listed = {id(public[name]) for name in documented if name in public}
    owed(
        "undocumented",
        {
            f"{value.__module__.removeprefix('skperturb.')}.{value.__qualname__}"
            for value in public.values()
            if id(value) not in listed
        },
    )


def public_objects():
    """(name, object) of what the reference lists, with the public methods of its classes."""
    for name in documented_names():
        value = public_names().get(name)
        if value is None:
            continue
        yield name, value
        if inspect.isclass(value):
            for base in value.__mro__:
                if not base.__module__.startswith("skperturb"):
                    continue
                for attribute, member in vars(base).items():
                    plain = inspect.isfunction(member) or isinstance(
                        member, (property, classmethod, staticmethod)
                    )
                    # Not what a subclass replaces, nor the methods of every tuple.
                    if (
                        plain
                        and not attribute.startswith("_")
                        and attribute not in ("count", "index")
                        and inspect.getattr_static(value, attribute) is member
                    ):
                        yield f"{name}.{attribute}", member


def result_fields(value):
    """Names of the fields of a dataclass or a named tuple; None for anything else."""
    fields = getattr(value, "__dataclass_fields__", None) or getattr(value, "_fields", None)
    return None if fields is None else set(fields)


def test_docstrings_pass_numpydoc():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]
    left_out = set(options["checks"]) - {"all"}
    found = set()
    for name, value in public_objects():
        fields = result_fields(value) if inspect.isclass(value) else None
        errors = {code for code, _ in validate(name)["errors"]} - left_out
        if fields is not None:
            # What a result holds are attributes: nobody but the library calls its constructor.
            errors -= {"PR01"}
            listed = ClassDoc(value)["Attributes"]
            attributes = {name for p in listed for name in p.name.split(", ")}
            if not {field for field in fields if not field.startswith("_")} <= attributes:
                errors.add("attributes")
        # Of classes and functions, not of methods and results, an example is asked.
        elif name in public_names() and ">>>" not in (value.__doc__ or ""):
            errors.add("example")
        found |= {f"{name} {code}" for code in errors}
    owed("numpydoc", found)


def test_public_functions_have_types():
    found = set()
    for name, value in public_objects():
        if inspect.isclass(value):
            if result_fields(value) is not None or "__init__" not in vars(value):
                continue
            parameters, returns = inspect.signature(value.__init__).parameters, True
        else:
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            signature = inspect.signature(function)
            parameters, returns = signature.parameters, signature.return_annotation
        untyped = any(
            p.annotation is p.empty for p in parameters.values() if p.name not in ("self", "cls")
        )
        if untyped or returns is inspect.Signature.empty:
            found.add(name)
    owed("untyped", found)


# --- Names of noises


@pytest.mark.parametrize("name", FAMILIES)
def test_a_name_is_its_class_in_words(name):
    words = re.sub(r"(?<!^)(?=[A-Z])", "_", FAMILIES[name].__name__).lower()
    assert name == words
    assert type(as_noise(name)) is FAMILIES[name]
    assert getattr(skperturb.noise, FAMILIES[name].__name__) is FAMILIES[name]


def test_every_family_of_the_library_has_a_name():
    defined = {c for c in subclasses(Noise) if vars(_families).get(c.__name__) is c}
    assert defined - {Noise} == set(FAMILIES.values())


@pytest.mark.parametrize("cls", [*FAMILIES.values(), Noise, Discrete, ScipyNoise])
def test_a_noise_is_saved_under_its_public_address(cls):
    assert cls.__module__ == "skperturb.noise"
    assert getattr(skperturb.noise, cls.__name__) is cls


def subclasses(cls):
    return {cls}.union(*(subclasses(sub) for sub in cls.__subclasses__()))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_list_of_noises_has_this_name(name):
    quoted = f'"{name}"'
    for documented in (
        as_noise,
        skperturb.PerturbArgmax,
        skperturb.PerturbSoftmax,
        skperturb.PerturbArgmaxClassifier,
        skperturb.PerturbSoftmaxClassifier,
    ):
        text = documented.__doc__
        assert quoted in text or "skperturb.noise.as_noise" in text, documented.__name__
    assert f"skperturb.noise.{FAMILIES[name].__name__}" in documented_names()
    assert quoted in (ROOT / "README.md").read_text()
    assert quoted in (ROOT / "docs" / "guide" / "model.rst").read_text()
    with pytest.raises(ValueError, match=f"'{name}'"):
        as_noise("no such noise")
    for tests in ("test_noise.py", "test_kernel.py"):
        assert re.search(rf"\b{FAMILIES[name].__name__}\b", (ROOT / "tests" / tests).read_text())


# --- Tests


def test_tests_read_nothing_outside_the_checkout():
    """But for the data sets, in the folder that SKPERTURB_DATA names."""
    found = set()
    for path in sorted((ROOT / "tests").glob("*.py")):
        text = path.read_text()
        if re.search(r"parents\[[2-9]\]|\.parent\.parent\.parent|['\"]\.\./", text):
            found.add(path.name)
    # The one place with the folder's default, and this file.
    assert found <= {"conftest.py", "test_house.py"}


# --- The page on contributing


def test_the_map_on_the_page_names_modules_that_exist():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    table = page.partition("| module |")[2].partition("\n\n")[0]
    named = {
        entry.rstrip("/").rpartition("/")[2]
        for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for entry in re.findall(r"`([^`]+)`", cell)
    }
    files = {path.name for path in PACKAGE.rglob("*")}
    owed("map", named - files)
    owed(
        "unmapped",
        {
            module
            for module, path in MODULES.items()
            if path.name not in named
            and not path.name.startswith("__")
            and module.split(".")[1] not in ("evaluation", "parts", "cli", "_version")
        },
    )
    assert len(page.splitlines()) <= 150


# --- Versions, written in several files


def test_the_citation_has_the_version():
    assert f"\nversion: {skperturb.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_oldest_dependencies_tested_are_the_oldest_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tested = dict(
        line.split("==")
        for line in (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
        if "==" in line
    )
    for requirement in project["dependencies"]:
        name, declared = requirement.split(">=")
        assert re.fullmatch(rf"{re.escape(declared)}(\.0)*", tested[name]), requirement
