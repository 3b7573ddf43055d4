"""The code of the page "Saving and serving" runs as it stands there."""

import re
from pathlib import Path

from .conftest import client

PAGE = Path(__file__).parents[1].parent / "docs" / "saving_and_serving.md"
NEEDED = ["joblib", "skops.io", "mlflow.sklearn", "skl2onnx", "onnxruntime", "shap", "optuna"]


def test_the_code_of_the_page(tmp_path, monkeypatch):
    for name in NEEDED:
        client(name)
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(code) >= 7
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(code), str(PAGE), "exec"), {"__name__": "page"})
