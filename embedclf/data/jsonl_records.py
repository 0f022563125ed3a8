"""Records of JSON: an object on each line, or an array of objects, or objects that take several lines each."""

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from embedclf.data.formats import FormatError

# Python's json module handles about 1,000 levels, minus the depth of the call stack.
_MOST_NESTED = 200
_NESTED_TOO_DEEPLY = "the JSON on this line is nested too deeply"
# A record that is longer than this is taken to be one that is never closed.
_LONGEST = 1 << 26
_LINES_AT_ONCE = 256
_BETWEEN = re.compile(r"[\s,\ufeff]*")
# Where the record after a damaged one begins, or the array ends.
_NEXT = re.compile(r"\}\s*,?\s*(?=\{)|\}\s*(?=\]\s*$)")
_NOT_BLANK = re.compile(r"[^\s\ufeff]")
_COMMENT = re.compile(r"(//|#|/\*)")


Layout = Literal["lines", "array", "values"]
"""How the values of a file stand in it: one to a line, in one array, or one after another, of several lines each."""


class JsonRecord(NamedTuple):
    """A record: the line where it starts, counted from 1, the object, and its JSON in one line.

    `fault` says why there is no object; None if there is one. `value` is what there is instead.
    """

    line: int
    record: dict[str, Any]
    source: str
    fault: str | None = None
    value: Any = None
    layout: Layout = "lines"


def jsonl_records(lines: Iterable[str]) -> Iterator[JsonRecord]:
    """Read the objects of a file, in whichever of the layouts its first lines have.

    Raises
    ------
    FormatError
        If an array, or an object that takes several lines, is damaged.
    """
    numbered = enumerate(lines, 1)
    ahead = list(itertools.islice((pair for pair in numbered if _NOT_BLANK.search(pair[1])), 2))
    rest = itertools.chain(ahead, numbered)
    if ahead and _takes_several_lines(*(line for _, line in ahead)):
        return _streamed(rest)
    return _by_line(rest)


def _takes_several_lines(first: str, second: str = "") -> bool:
    """Return whether the values of a file are not one to a line, by its first two lines that are not blank."""
    first = first.lstrip("\ufeff").strip()
    if first.startswith("["):
        value = _value_of(first)
        return not isinstance(value, list) or (not second and isinstance(next(iter(value), {}), dict | list | str))
    return first.startswith("{") and _goes_on(first) and not second.lstrip().startswith("{")


def _goes_on(line: str) -> bool:
    """Return whether a line is the beginning of a value, which goes on in the next: not within a string."""
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line) and not error.msg.startswith("Unterminated")
    except (ValueError, RecursionError):
        pass
    return False


def _value_of(line: str) -> Any:
    """Return the value on a line; None if there is no whole one."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(line.removesuffix(","))
    return None


def _by_line(lines: Iterable[tuple[int, str]]) -> Iterator[JsonRecord]:
    for line, source in lines:
        if _NOT_BLANK.search(source) is None:
            continue
        source = source.lstrip("\ufeff")
        try:
            record = json.loads(source)
        except ValueError as error:
            bare = source.rstrip().removesuffix(",")
            record = _value_of(bare) if source.rstrip().endswith(",") else None
            if record is None:
                yield JsonRecord(line, {}, source, _problem(source, error))
                continue
            source = bare
        except RecursionError:
            yield JsonRecord(line, {}, source, _NESTED_TOO_DEEPLY)
            continue
        yield _checked(line, record, source)


def _problem(source: str, error: ValueError) -> str:
    """Return what is wrong with a line that is not valid JSON."""
    if _COMMENT.match(source.lstrip()):
        return "this is a comment, which JSON does not have"
    if is_python(source):
        return "this is a Python dict, not JSON: write it with json.dumps"
    problem = str(error) if isinstance(error, json.JSONDecodeError) else "a number is too long"
    return f"the line is not valid JSON ({problem})"


def is_python(source: str) -> bool:
    """Return whether a line is a dict as Python writes it, with single quotes."""
    if source.lstrip().startswith("{") and len(source) < 1_000_000:
        import ast

        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(source.strip().removesuffix(","))
            return isinstance(value, dict) and bool(value)
    return False


def _streamed(lines: Iterable[tuple[int, str]]) -> Iterator[JsonRecord]:
    """Read values that follow each other, or stand in an array, wherever the lines end."""
    decode = json.JSONDecoder().raw_decode
    pieces = iter(lines)
    line, text, place = 1, "", 0
    in_array = ended = False
    first = True

    def more() -> str:
        return "".join(source for _, source in itertools.islice(pieces, _LINES_AT_ONCE))

    while True:
        after = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        line += text.count("\n", place, after)
        place = after
        if place == len(text):
            text, place = more(), 0
            if text:
                continue
            if in_array and not ended:
                raise FormatError("the array is never closed: is the file complete?", line)
            return
        if ended:
            raise FormatError("there is more after the end of the array", line)
        if (first and text[place] == "[") or (in_array and text[place] == "]"):
            in_array, ended = True, text[place] == "]"
            first, place = False, place + 1
            continue
        first = False
        try:
            value, end = decode(text, place)
        except RecursionError:
            raise FormatError(_NESTED_TOO_DEEPLY, line) from None
        except ValueError as error:
            is_cut_off = _may_be_cut_off(error, text, place)
            if is_cut_off and (added := more()):
                text, place = text[place:] + added, 0
                continue
            after = None if is_cut_off else _NEXT.search(text, getattr(error, "pos", place))
            detail = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
            problem = f"this is not valid JSON ({detail})"
            if after is None:
                at = line + text.count("\n", place, getattr(error, "pos", place))
                raise FormatError(f"{problem}{': is the file complete?' if is_cut_off else ''}", at) from error
            yield JsonRecord(line, {}, text[place : after.end()], problem, None, "array" if in_array else "values")
            line += text.count("\n", place, after.end())
            place = after.end()
            continue
        source = text[place:end]
        if "\n" in source or "\r" in source:  # only between its parts: in a string they are escaped
            source = " ".join(piece.strip() for piece in re.split(r"[\r\n]+", source))
        yield _checked(line, value, source, "array" if in_array else "values")
        line += text.count("\n", place, end)
        place = end


def _may_be_cut_off(error: ValueError, text: str, start: int) -> bool:
    """Return whether a value is invalid only because the text ends within it."""
    if not isinstance(error, json.JSONDecodeError) or len(text) - start > _LONGEST:
        return False
    return error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip()) - 16


def _checked(line: int, value: Any, source: str, layout: Layout = "lines") -> JsonRecord:
    if _is_nested_deeply(value, source):
        return JsonRecord(line, {}, source, _NESTED_TOO_DEEPLY, None, layout)
    if not isinstance(value, dict):
        what = "line" if layout == "lines" else "value"
        problem = f"the {what} is valid JSON, but not an object"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            problem = f"the {what} is an array of records, which is read only if nothing else is in the file"
        return JsonRecord(line, {}, source, problem, value, layout)
    return JsonRecord(line, value, source, None, None, layout)


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
