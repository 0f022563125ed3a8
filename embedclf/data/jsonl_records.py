"""Records of JSON Lines."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from embedclf.data.formats import FormatError

# Python reads and writes about 1,000 levels, less those of the program that asks for it.
_MOST_NESTED = 200
_NESTED_TOO_DEEPLY = "the line is not usable JSON (nested too deeply)"


class JsonRecord(NamedTuple):
    """One line: its number, counted from 1, the object that it holds, and how it stands there.

    `fault` says why there is no object, and is None if there is one.
    """

    line: int
    record: dict[str, Any]
    source: str
    fault: str | None = None


def jsonl_records(lines: Iterable[str]) -> Iterator[JsonRecord]:
    """Read an object of each line that is not blank.

    Raises
    ------
    FormatError
        If the file is one large JSON value.
    """
    for line, source in enumerate(lines, 1):
        if source.isspace():
            continue
        if line == 1 and (source.strip() == "{" or source.lstrip().startswith("[")):
            raise FormatError("it is one large JSON value: JSON lines are needed, a whole object on each line", 1)
        try:
            record = json.loads(source)
        except ValueError as error:
            problem = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
            yield JsonRecord(line, {}, source, f"the line is not JSON ({problem})")
            continue
        except RecursionError:
            yield JsonRecord(line, {}, source, _NESTED_TOO_DEEPLY)
            continue
        if _is_nested_deeply(record, source):
            yield JsonRecord(line, {}, source, _NESTED_TOO_DEEPLY)
        elif not isinstance(record, dict):
            yield JsonRecord(line, {}, source, "the line is JSON, but not an object with keys in braces")
        else:
            yield JsonRecord(line, record, source)


def _is_nested_deeply(value: Any, source: str) -> bool:
    """Tell whether a JSON value is nested so deeply that some programs could not write it again."""
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
