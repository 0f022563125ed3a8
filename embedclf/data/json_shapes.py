"""Shapes of JSON that hold texts, but not as one object for each: what they are, and the command that converts them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from embedclf.data.columns import DEFAULT, candidates
from embedclf.data.jsonl_records import Layout

_WHOLE = "json.load(open(sys.argv[1], encoding='utf-8-sig'))"
_LINES = "[json.loads(line) for line in open(sys.argv[1], encoding='utf-8-sig') if line.strip()]"
_PYTHON = "[ast.literal_eval(line) for line in open(sys.argv[1], encoding='utf-8-sig') if line.strip()]"


class _Shape(NamedTuple):
    """What a value is, how it is recognized, and the records in it, written as Python on the value ``d``."""

    what: str
    is_it: Callable[[Any], bool]
    records: str


def _records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value[:100])


def _has_text(record: dict[str, Any]) -> bool:
    return any(isinstance(record[name], str) for name in candidates(list(record), "text", DEFAULT.text))


def _by_columns(value: Any, kind: type) -> bool:
    if not isinstance(value, dict) or not value or not all(isinstance(one, kind) for one in value.values()):
        return False
    first, *others = value.values()
    return len(first) > 0 and all(
        list(one) == list(first) if kind is dict else len(one) == len(first) for one in others
    )


def _labels_by_text(value: Any) -> bool:
    return isinstance(value, dict) and len(value) > 1 and all(isinstance(one, str) for one in value.values())


def _texts_by_label(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 1
        and all(isinstance(texts, list) and texts and isinstance(texts[0], str) for texts in value.values())
        and not candidates(list(value), "text", DEFAULT.text)
    )


def _pairs_by_part(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(part, list)
        and part
        and isinstance(part[0], list)
        and len(part[0]) == 2
        and isinstance(part[0][0], str)
        for part in value.values()
    )


def _path_to_records(value: Any, depth: int = 0) -> tuple[str, ...] | None:
    """Return the keys that lead to a list of records with texts, or whose part `_source` has them; None if none do."""
    if isinstance(value, dict) and depth < _MOST_DEEP:
        for key, inner in value.items():
            if _records(inner) and (_has_text(inner[0]) or isinstance(_in(inner[0], "_source"), dict)):
                return (key,)
            if (path := _path_to_records(inner, depth + 1)) is not None:
                return (key, *path)
    return None


def _in(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


_MOST_DEEP = 3

_OF_OBJECTS: tuple[_Shape, ...] = (
    _Shape(
        "a page of rows of Hugging Face's datasets server",
        lambda d: _records(_in(d, "rows")) and isinstance(_in(d["rows"][0], "row"), dict),
        "[r['row'] for r in d['rows']]",
    ),
    _Shape(
        "training data of Rasa",
        lambda d: _records(_in(d, "rasa_nlu_data", "common_examples")),
        "d['rasa_nlu_data']['common_examples']",
    ),
    _Shape(
        "a table as df.to_json(orient='split') writes it",
        lambda d: isinstance(_in(d, "columns"), list) and isinstance(_in(d, "data"), list),
        "[dict(zip(d['columns'], r)) for r in d['data']]",
    ),
    _Shape(
        "a table by rows, as df.to_json(orient='index') writes it",
        lambda d: isinstance(d, dict) and bool(d) and all(isinstance(r, dict) and _has_text(r) for r in d.values()),
        "list(d.values())",
    ),
    _Shape(
        "a table by columns, as df.to_json() writes it",
        lambda d: _by_columns(d, dict) and len(d) > 1,
        "[dict(zip(d, r)) for r in zip(*(c.values() for c in d.values()))]",
    ),
    _Shape(
        "an object with the texts of each label",
        _texts_by_label,
        "[{'text': t, 'label': k} for k, texts in d.items() for t in texts]",
    ),
    _Shape(
        "an object of lists of pairs, such as a text and its label",
        lambda d: bool(d) and _pairs_by_part(d),
        "[dict(zip(['text', 'label'], r)) for part in d.values() for r in part]",
    ),
    _Shape(
        "an object with a label for each text",
        lambda d: _labels_by_text(d) and not _has_text(d),
        "[{'text': t, 'label': k} for t, k in d.items()]",
    ),
    _Shape(
        "a table by columns",
        lambda d: _by_columns(d, list) and len(d) > 1 and not _records(next(iter(d.values()))),
        "[dict(zip(d, r)) for r in zip(*d.values())]",
    ),
)
# Of each record of a file.
_OF_RECORDS: tuple[_Shape, ...] = (
    _Shape(
        "a file of spaCy, with the categories of each text",
        lambda r: isinstance(_in(r, "cats"), dict) and bool(r["cats"]) and isinstance(_in(r, "text"), str),
        "[{'text': r['text'], 'label': max(r['cats'], key=r['cats'].get)} for r in d]",
    ),
    _Shape(
        "a file of Prodigy, with the options that were accepted",
        lambda r: isinstance(_in(r, "accept"), list) and isinstance(_in(r, "text"), str),
        "[{'text': r['text'], 'label': r['accept'][0]} for r in d if r['accept'] and r.get('answer') == 'accept']",
    ),
    _Shape(
        "a file of conversations, with a list of messages in each record",
        lambda r: _records(_in(r, "messages")) and isinstance(_in(r["messages"][0], "content"), str),
        "[{'text': next(m['content'] for m in r['messages'] if m['role'] == 'user'), "
        "'label': r['messages'][-1]['content']} for r in d]",
    ),
    _Shape(
        "a file whose texts are in an object of each record",
        lambda r: isinstance(_in(r, "data"), dict) and _has_text(r["data"]),
        "[{**{k: v for k, v in r.items() if k != 'data'}, **r['data']} for r in d]",
    ),
)
_OF_LISTS: tuple[_Shape, ...] = (
    _Shape(
        "training data of spaCy, with a text and its categories in each list",
        lambda r: len(r) == 2 and isinstance(r[0], str) and isinstance(_in(r[1], "cats"), dict) and bool(r[1]["cats"]),
        "[{'text': t, 'label': max(a['cats'], key=a['cats'].get)} for t, a in d]",
    ),
    _Shape(
        "a list of lists, the first of which has the names of the columns",
        lambda r: bool(r) and all(isinstance(one, str) for one in r) and bool(candidates(r, "text", DEFAULT.text)),
        "[dict(zip(d[0], r)) for r in d[1:]]",
    ),
    _Shape(
        "a file of lists, not of objects",
        lambda r: len(r) == 2 and all(isinstance(one, str | int | float) for one in r),
        "[dict(zip({names}, r)) for r in d]",
    ),
)


def is_task(record: Any) -> bool:
    """Return whether a record is a task of Label Studio, with its annotations; see `LabelStudioRows`."""
    return isinstance(_in(record, "data"), dict) and isinstance(annotations_of(record), list)


def annotations_of(task: dict[str, Any]) -> Any:
    """Return the annotations of a task of Label Studio; those before version 1.0 are called completions."""
    return task.get("annotations", task.get("completions"))


def json_problem(value: Any, path: Path | None, layout: Layout, *, is_alone: bool, lacks_column: bool) -> str | None:
    """Return what a file is if its first value has one of these shapes, and how to convert it; None if it has none.

    Parameters
    ----------
    value : object
        The first value of the file, or of the array that the file is.
    path : Path or None
        None for standard input.
    layout : {"lines", "array", "values"}
    is_alone : bool
        Whether the file has no other value.
    lacks_column : bool
        Whether no column of texts, or of labels that are needed, is known.
    """
    load = _LINES if layout == "lines" else _WHOLE
    if isinstance(value, str):
        return _problem("a list of texts", load, "[{'text': t} for t in d]", path)
    if isinstance(value, list):
        found = next((shape for shape in _OF_LISTS if shape.is_it(value)), None)
        if found is None:
            return None
        names = "['text', 'label']" if len(str(value[0])) >= len(str(value[-1])) else "['label', 'text']"
        return _problem(found.what, load, found.records.replace("{names}", names), path)
    if not isinstance(value, dict) or is_task(value):
        return None
    if is_alone and layout != "array":
        for shape in _OF_OBJECTS:
            if shape.is_it(value):
                return _problem(shape.what, _WHOLE, shape.records, path)
        is_record = any(shape.is_it(value) for shape in _OF_RECORDS)
        keys = None if is_record or _has_text(value) else _path_to_records(value)
        if keys is not None:
            inner: Any = value
            records = f"d{''.join(f'[{key!r}]' for key in keys)}"
            for key in keys:
                inner = inner[key]
            if not _has_text(inner[0]):
                records = f"[r['_source'] for r in {records}]"
            return _problem(f"one object, whose list {'.'.join(keys)!r} has the records", _WHOLE, records, path)
    for shape in _OF_RECORDS:
        if lacks_column and layout != "values" and shape.is_it(value):
            return _problem(shape.what, load, shape.records, path)
    return None


def python_problem(path: Path | None) -> str:
    """Return that a file has Python's dicts instead of JSON, and how to convert it."""
    return _problem("a file of Python dicts (with single quotes), not JSON", _PYTHON, "d", path)


def _problem(what: str, load: str, records: str, path: Path | None) -> str:
    script = (
        f"import {'ast, ' if load is _PYTHON else ''}json, sys; d = {load}; [print(json.dumps(r)) for r in {records}]"
    )
    if path is None:
        return f"this is {what}; expected one JSON object for each text. Write its records one to a line"
    output = path.with_suffix(".jsonl")
    if output.exists():  # this file, or another
        output = path.with_suffix(".records.jsonl")
    quoted = shlex.quote(script) if set(script) & set('"$`\\!') else f'"{script}"'
    command = f"python3 -c {quoted} {shlex.quote(str(path))} > {shlex.quote(str(output))}"
    return f"this is {what}; expected one JSON object for each text. Convert it:\n  {command}"
