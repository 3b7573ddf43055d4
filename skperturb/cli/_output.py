"""What the commands write."""

import json
import math

from .. import __version__


def comparison_json(summary, comparison, notes=()):
    """A comparison as JSON, with all digits, and how its parts were read."""
    content = {
        "conclusion": comparison.conclusion.to_dict(),
        "skperturb": __version__,
        "summary": summary,
        "settings": comparison.settings,
        "notes": [
            {"kind": note.kind, "column": note.column, "rows": note.rows, "text": note.text}
            for note in notes
        ],
        "estimators": _records(comparison.kpis.reset_index()),
        "differences": _records(comparison.table),
        "policies": [] if comparison.policies is None else _records(comparison.policies),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def _records(table):
    """Rows as dictionaries; what is not finite, such as a policy's accuracy, is null."""
    return [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]
