"""Records of JSON Lines."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from embedclf.data.formats import FormatError

# Python's json module handles about 1,000 levels, minus the depth of the call stack.
_MOST_NESTED = 200
_NESTED_TOO_DEEPLY = "the JSON on this line is nested too deeply"


class JsonRecord(NamedTuple):
    """A line: its number, counted from 1, the object on it, and the line itself.

    `fault` says why the line does not contain an object; None if it does.
    """

    line: int
    record: dict[str, Any]
    source: str
    fault: str | None = None


def jsonl_records(lines: Iterable[str]) -> Iterator[JsonRecord]:
    """Read one object from each line that is not blank.

    Raises
    ------
    FormatError
        If the file is a single JSON array, or an object spread over several lines.
    """
    for line, source in enumerate(lines, 1):
        if source.isspace():
            continue
        if line == 1 and (source.strip() == "{" or source.lstrip().startswith("[")):
            value = "object spread over several lines" if source.strip() == "{" else "array"
            raise FormatError(f"this is a JSON {value}; embedclf reads JSON Lines (one object per line)", 1)
        try:
            record = json.loads(source)
        except ValueError as error:
            problem = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
            yield JsonRecord(line, {}, source, f"the line is not valid JSON ({problem})")
            continue
        except RecursionError:
            yield JsonRecord(line, {}, source, _NESTED_TOO_DEEPLY)
            continue
        if _is_nested_deeply(record, source):
            yield JsonRecord(line, {}, source, _NESTED_TOO_DEEPLY)
        elif not isinstance(record, dict):
            yield JsonRecord(line, {}, source, "the line is valid JSON, but not an object")
        else:
            yield JsonRecord(line, record, source)


def _is_nested_deeply(value: Any, source: str) -> bool:
    """Return whether a JSON value is nested so deeply that it may not be possible to write it again."""
    if source.count("[") + source.count("{") <= _MOST_NESTED:
        return False
    level = [value]
    for _ in range(_MOST_NESTED):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, dict | list) for one in level)
