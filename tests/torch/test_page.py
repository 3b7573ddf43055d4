"""The code of the page "Networks" runs as it stands there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"


def test_the_code_of_the_page():
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(code) == 2
    exec(compile("\n".join(code), str(PAGE), "exec"), {"__name__": "page"})
