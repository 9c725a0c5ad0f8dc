"""The access log as lines of JSON, for programs that collect logs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

_KEYS: Final = ("client", "method", "path", "status", "milliseconds")
"""What `mien.service.guard` logs of a request, in order."""


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (ISO 8601, UTC) and what `_KEYS` names."""

    def format(self, record: logging.LogRecord) -> str:
        values = record.args if isinstance(record.args, tuple) else ()
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, **dict(zip(_KEYS, values, strict=False))}
        line["path"] = str(line.get("path"))[1:-1]  # without the quotation marks that keep it on one line of text
        return json.dumps({**line, "milliseconds": round(float(line.get("milliseconds", 0)), 1)})
