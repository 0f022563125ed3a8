"""Cases that people ran into in the field, by kind: the input, and the right value. To add one, add a line."""

import bz2
import contextlib
import io
import json
import pickle
import re
import shlex
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from embedclf.data.corpus import read_corpus
from running import Cli


@dataclass(frozen=True)
class Case:
    """A command line on files, and what must come of it."""

    run: str
    """The command line; ``{model}`` is a small trained model."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """What lies in the folder before; text is written as UTF-8, its line ends as they are."""
    exit: int = 0
    says: tuple[str, ...] = ()
    """Pieces of what is printed, on stdout or stderr, each exactly so; line breaks count as spaces."""
    silent: tuple[str, ...] = ()
    """Pieces that must not be printed."""
    writes: Mapping[str, str | bytes] = field(default_factory=dict)
    """Files that must be there afterwards, whole."""
    server: Callable[[AimlapiServer], None] | None = None
    """What AI/ML API does, if it is asked."""
    requests: int | None = None
    """How many requests it may be sent at most."""


ANOTHER_FILE: dict[str, Case] = {}
"""One file read or written as another, without a word."""

MISSING: dict[str, Case] = {}
"""A missing value in one of its many spellings."""

_RECORDS = [{"text": "a parcel", "label": "d"}, {"text": "my money", "label": "r"}]
_LABELLED = '{"text": "a parcel", "label": "d"}\n{"text": "my money", "label": "r"}\n'


def _zipped(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return whole.getvalue()


def _lines(values: Sequence[Any]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


_DAMAGED = "text,label\nle café est fermé,a\nnaïve à côté,b\nstray ".encode() + b"\xe9 byte,a\nplain,b\n"
_EMOTION = "i feel fine today, really;joy\ni feel so alone;sadness\nwhat a day;joy\ni am down;sadness\n"
_NO_HEADER = "the first line looks like a row: pass --no-header (columns are then 1, 2, …), or add a header"

ADVICE: dict[str, Case] = {
    "one damaged row": Case(
        "train d.csv",
        {"d.csv": _DAMAGED},
        1,
        ("d.csv: the rest is UTF-8: only row 4 is damaged", "d.csv:4: byte 7 (0xe9) is not valid UTF-8"),
        silent=("--encoding",),
    ),
    "one damaged row, skipped": Case(
        "check d.csv --skip-bad-rows --dry-run", {"d.csv": _DAMAGED}, 1, ("Skipped 1 row: d.csv:4:", "3 rows, 2 labels")
    ),
    "one damaged row, in predict": Case(
        "predict d.jsonl -m {model} -o out.jsonl",
        {"d.jsonl": '{"text": "où est-il, René"}\n'.encode() + b'{"text": "caf\xe9"}\n'},
        1,
        ("1 of 2 texts could not be classified: d.jsonl:2: byte 14 (0xe9) is not valid UTF-8",),
    ),
    "cp1251": Case(
        "train d.csv",
        {"d.csv": "text,label\nгде моя посылка,a\nверните деньги,b\n".encode("cp1251")},
        1,
        ("nor is the file as a whole. This is how it would read: --encoding cp1251 где моя посылка,a",),
    ),
    "Shift JIS": Case(
        "train d.csv",
        {"d.csv": "text,label\n配送が遅い,a\n返金してください,b\n".encode("cp932")},
        1,
        ("--encoding cp932 配送が遅い,a",),
    ),
    "never the encoding that failed": Case(
        "train d.csv --encoding cp1252",
        {"d.csv": "text,label\nà Paris,a\nÁ Lisboa,b\nв Москве,c\n".encode()},
        1,
        ("byte 2 (0x81) is not valid cp1252", "would read: --encoding utf-8 à Paris,a"),
    ),
    "UTF-8 read as cp1252": Case(
        "check d.csv --encoding cp1252 --dry-run",
        {"d.csv": "text,label\nun café,a\nun thé,b\n"},
        1,
        (
            "d.csv is UTF-8 and reads 'un café,a'; with --encoding cp1252 it reads 'un cafÃ©,a'",
            "2 texts garbled by a wrong encoding",
            "would read 'un café'",
        ),
    ),
    "mojibake": Case(
        "train d.csv --dry-run",
        {"d.csv": "text,label\nI donâ€™t know,a\nplain,a\ncafÃƒÂ©,b\nbad\ufffdly,b\n"},
        0,
        ("3 texts garbled by a wrong encoding: 'I donâ€™t know' would read 'I don’t know' (:2); also :4, :5",),
    ),
    "no header": Case("train d.txt", {"d.txt": _EMOTION}, 1, (_NO_HEADER,), silent=("--text-column",)),
    "no header, a number as label": Case(
        "train d.csv",
        {"d.csv": '"3","Wall St. Bears","Short-sellers are"\n"4","Oil prices","Crude"\n'},
        1,
        (_NO_HEADER,),
    ),
    "no header, a word as label": Case(
        "evaluate d.csv -m {model}", {"d.csv": "ham\tsee you\nspam\twin now\nham\tbye\n"}, 1, (_NO_HEADER,)
    ),
    "no header, as told": Case(
        "check d.txt --no-header --dry-run --fix out.txt",
        {"d.txt": _EMOTION},
        0,
        ("d.txt: no header, texts in column 1, labels in column 2, delimiter ';'", "4 rows, 2 labels"),
    ),
    "no header, a label as name": Case(
        "predict d.csv -m {model}",
        {"d.csv": "what is the capital of Peru ?,question\nwho was it ?,question\n"},
        1,
        (_NO_HEADER,),
    ),
    "one column": Case(
        "train d.csv",
        {"d.csv": "Message\na\n"},
        1,
        ("A file of labelled texts has two columns: is this the right file?",),
    ),
    "a header all the same": Case(
        "check d.csv --no-header --dry-run",
        {"d.csv": "text,label\na b,x\nc d,x\n"},
        1,
        ("d.csv:1: the first line looks like a header, but is read as a row",),
    ),
    "fastText": Case(
        "check d.txt --dry-run --skip-bad-rows",
        {"d.txt": "__label__joy i feel fine\n__label__sad so alone\n__label__joy __label__sad both\n"},
        1,
        ("fastText's format (__label__)", "d.txt:3: 2 labels (joy, sad)", "2 rows, 2 labels"),
    ),
    "several labels in a list": Case(
        "check d.jsonl --dry-run",
        {"d.jsonl": '{"text": "a", "label": ["x", "y"]}\n' + _LABELLED},
        1,
        ("2 labels (x, y)",),
    ),
    "a damaged first record": Case(
        "check d.jsonl --skip-bad-rows --dry-run",
        {"d.jsonl": f'{{"text": "a\nnull\n{_LABELLED}'},
        1,
        ("2 rows, 2 labels",),
    ),
    "a damaged record in an array": Case(
        "check d.json --skip-bad-rows --dry-run",
        {"d.json": '[{"text": "a", "label" "x"},\n{"text": "b", "label": "x"},\n{"text": "c", "label": "y"}]'},
        1,
        ("d.json:1: this is not valid JSON (Expecting ':' delimiter)", "2 rows, 2 labels"),
    ),
    "a key that the first record lacks": Case(
        "check d.jsonl --skip-bad-rows --dry-run", {"d.jsonl": f'{{"id": 1}}\n{_LABELLED}'}, 1, ("2 rows, 2 labels",)
    ),
    "an array that is cut off": Case(
        "train d.json",
        {"d.json": '[{"text": "a", "label": "x"},\n{"text": "b"'},
        1,
        ("d.json:2:", "is the file complete?"),
    ),
    "CSV under another name": Case("train d.json", {"d.json": "text,label\na,b\n"}, 1, ("it looks like CSV",)),
    "rows written to .json": Case(
        "check d.jsonl --dry-run --fix out.json",
        {"d.jsonl": '{"text": "a", "n": 1.50}\n{"text": "b"}\n'},
    ),
    "a model under another name": Case(
        "train d.csv -o m.joblib",
        {"d.csv": "text,label\na,x\nb,y\n"},
        1,
        ("cannot write m.joblib: a model is a safetensors file, so call it m.safetensors",),
    ),
    "a dataset as model": Case(
        "predict hello -m d.csv", {"d.csv": "text,label\n"}, 1, ("d.csv is a data file, not a model",)
    ),
    "a model as dataset": Case("train {model}", {}, 1, ("this is a model (safetensors), not a dataset",)),
    "blank lines only": Case("train d.csv", {"d.csv": "\n\n"}, 1, ("the file is empty",)),
}
"""Advice that must follow from the evidence."""

_FOREIGN: dict[str, tuple[bytes, str]] = {
    "d.csv.bz2": (bz2.compress(b"x"), "a bzip2 file: decompress it first: bunzip2 -k d.csv.bz2"),
    "d.zip": (_zipped("train.csv", "test.csv"), "a ZIP archive, which holds train.csv, test.csv: unpack it first"),
    "d.xlsx": (
        _zipped("[Content_Types].xml", "xl/workbook.xml"),
        "an Excel file: save it as CSV (UTF-8), or export it",
    ),
    "d.docx": (_zipped("[Content_Types].xml", "word/document.xml"), "a text document"),
    "d.npz": (_zipped("x.npy"), "a file of NumPy arrays"),
    "d.tar": (bytes(257) + b"ustar", "a tar archive"),
    "d.pkl": (pickle.dumps(["a"]), "a Python pickle: loading it could run code"),
    "d.db": (b"SQLite format 3\x00", "an SQLite database"),
    "d.feather": (b"ARROW1\0\0", "an Arrow (Feather) file: convert it to Parquet: python3 -c"),
    "d.pdf": (b"%PDF-1.4\n", "a PDF document"),
    "page.csv": (b"<!DOCTYPE html><title>Sign in</title>", "an HTML page called 'Sign in'"),
    "d.xml": (b'<?xml version="1.0"?>\n<rows/>', "XML"),
    "lfs.csv": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the file itself"),
    "annex.csv": (b"/annex/objects/SHA256E-s1--abc.csv\n", "a git-annex pointer"),
    "d.ipynb": (b'{"cells": [{"cell_type": "code"}]}', "a Jupyter notebook"),
    "dump.csv": (b"-- MySQL dump\nCREATE TABLE t (a int);", "a dump of an SQL database"),
    "dvc.csv": (b"outs:\n- md5: abc\n  path: d.csv\n", "a DVC pointer"),
    "missing.csv": (b"404: Not Found", "the error of a server"),
    "noise.csv": (bytes(range(256)), "binary data"),
}
ADVICE |= {
    name: Case(f"check {name}", {name: content}, 1, (f"{name}: this is {what}",))
    for name, (content, what) in _FOREIGN.items()
}

FAULTS: dict[str, Case] = {}
"""A server's fault that stays must end soon; one that passes must not end the run."""

CASES = {**ANOTHER_FILE, **MISSING, **ADVICE, **FAULTS}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_command_on_files_from_the_field(case: Case, cli: Cli, model: Path, api: AimlapiServer) -> None:
    for name, content in case.files.items():
        Path(name).write_bytes(_bytes(content))
    if case.server is not None:
        case.server(api)

    done = cli(*(arg.format(model=model) for arg in shlex.split(case.run)))

    printed = re.sub(r"\s+", " ", done.output)
    assert done.exit_code == case.exit, done.output
    for piece in case.says:
        assert piece in printed, done.output
    for piece in case.silent:
        assert piece not in printed, done.output
    for name, content in case.writes.items():
        assert Path(name).read_bytes() == _bytes(content)
    assert case.requests is None or len(api.requests) <= case.requests


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


CALLS: dict[str, tuple[Callable[[embedclf.TextClassifier], Any], Any]] = {}
"""Python calls with a small trained classifier, and what they return or raise (an error with its whole message)."""


@pytest.mark.parametrize(("call", "right"), CALLS.values(), ids=CALLS.keys())
def test_a_call_from_the_field(
    call: Callable[[embedclf.TextClassifier], Any], right: Any, trained: embedclf.TextClassifier
) -> None:
    if isinstance(right, Exception):
        with pytest.raises(type(right), match=f"^{re.escape(str(right))}$"):
            call(trained)
    else:
        assert call(trained) == right


SHAPES: dict[str, Any] = {
    "d.json": {"text": {"0": "a parcel", "1": "my money"}, "label": {"0": "d", "1": "r"}},
    "index.json": {"0": _RECORDS[0], "1": _RECORDS[1]},
    "split.json": {"columns": ["text", "label"], "index": [0, 1], "data": [["a parcel", "d"], ["my money", "r"]]},
    "lists.json": {"text": ["a parcel", "my money"], "label": ["d", "r"]},
    "wrapped.json": {"version": 1, "data": _RECORDS},
    "server.json": {"features": [], "rows": [{"row_idx": 0, "row": record} for record in _RECORDS]},
    "search.json": {"took": 1, "hits": {"total": 2, "hits": [{"_id": "1", "_source": record} for record in _RECORDS]}},
    "by_label.json": {"d": ["a parcel"], "r": ["my money"]},
    "by_text.json": {"a parcel": "d", "my money": "r"},
    "parts.json": {"train": [["a parcel", "d"]], "test": [["my money", "r"]]},
    "rasa.json": {"rasa_nlu_data": {"common_examples": _RECORDS}},
    "studio.json": [
        {"data": {"text": one["text"]}, "annotations": [{"result": [{"value": {"choices": [one["label"]]}}]}]}
        for one in _RECORDS
    ],
    "values.json": [["a parcel", "d"], ["my money", "r"]],
    "spacy.json": [["a parcel", {"cats": {"d": 1.0, "r": 0.0}}], ["my money", {"cats": {"d": 0.0, "r": 1.0}}]],
    "spacy.jsonl": [{"text": "a parcel", "cats": {"d": 1, "r": 0}}, {"text": "my money", "cats": {"d": 0, "r": 1}}],
    "lists.jsonl": [["a parcel", "d"], ["my money", "r"]],
    "prodigy.jsonl": [{"text": one["text"], "accept": [one["label"]], "answer": "accept"} for one in _RECORDS],
    "nested.jsonl": [{"label": one["label"], "data": {"text": one["text"]}} for one in _RECORDS],
    "chat.jsonl": [
        {"messages": [{"role": "user", "content": one["text"]}, {"role": "assistant", "content": one["label"]}]}
        for one in _RECORDS
    ],
    "python.jsonl": "".join(f"{record}\n" for record in _RECORDS),
}
"""JSON that holds texts, but not as one object for each."""


@pytest.mark.filterwarnings("ignore:unclosed file")
@pytest.mark.parametrize("name", SHAPES)
def test_the_command_that_is_named_converts_a_file(name: str) -> None:
    value = SHAPES[name]
    lines = value if isinstance(value, str) else _lines(value) if name.endswith(".jsonl") else json.dumps(value)
    Path(name).write_text(lines)
    with pytest.raises(embedclf.DataError, match="Convert it:") as caught:
        read_corpus(name)
    _, _, script, source, _, output = shlex.split(str(caught.value).splitlines()[1])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), mock.patch("sys.argv", ["-c", source]):
        exec(script, {})
    Path(output).write_text(printed.getvalue())
    corpus = read_corpus(output)
    assert list(zip(corpus.texts, corpus.labels, strict=True)) == [("a parcel", "d"), ("my money", "r")]
