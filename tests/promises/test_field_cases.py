"""Cases that people ran into in the field, by kind: the input, and the right value. To add one, add a line."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import embedclf
from aimlapi_server import AimlapiServer
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


RAW = (
    'label\ttext\nham\tsee you at noon\nham\t"no way, she said\nspam\twin a prize now\nspam\tfree cash today\n'
    'ham\tthe new tv is 55"\nspam\treply to win\n'
)
SPARK = 'id,text\n1,"my \\"parcel\\", please"\n2,C:\\new\n3,"a\\\\"\n'

NOTHING_TO_CHANGE = {"c.csv": "line,text,label\n"}
FORMULAS = "text,n\n=1+1,-1\n@b,+x\n"

ANOTHER_FILE: dict[str, Case] = {
    "tabs without quoting": Case(
        "apply c.csv f1.tsv -o f2.tsv",
        {"f1.tsv": RAW, **NOTHING_TO_CHANGE},
        says=("f1.tsv: no quoting found (if fields are quoted, use --quoting csv)", "Wrote 6 rows to f2.tsv"),
        writes={"f2.tsv": RAW},
    ),
    "tabs without quoting, written with commas": Case(
        "apply c.csv f1.tsv -o f2.csv",
        {"f1.tsv": 'label\ttext\na\t"b, c\nd\te" f\n', **NOTHING_TO_CHANGE},
        writes={"f2.csv": 'label,text\na,"""b, c"\nd,"e"" f"\n'},
    ),
    "what a file without quoting cannot hold": Case(
        "apply c.csv f1.tsv -o f2.tsv",
        {"f1.tsv": RAW, "c.csv": 'line,text,label\n2,see you at noon,"a\tb"\n'},
        1,
        says=("cannot write f2.tsv: line 2 has a tab in 'label', which a file without quoting cannot hold; write to",),
    ),
    "tabs, and fields that are said to be quoted": Case(
        "apply c.csv f1.tsv -o f2.csv --quoting csv", {"f1.tsv": RAW, **NOTHING_TO_CHANGE}, says=("Wrote 3 rows",)
    ),
    "a quote that takes in rows": Case(
        "apply c.csv d.csv -o o.csv",
        {"d.csv": RAW.replace("\t", ","), **NOTHING_TO_CHANGE},
        1,
        says=(
            "d.csv:3: a quoted field in this row takes in the next 3 lines, which look like rows; double each quote",
        ),
        silent=("--quoting none",),  # the text has a comma
    ),
    "rows that are meant to be in a field": Case(
        "predict -m {model} d.csv -o o.csv --quoting csv",
        {"d.csv": RAW.replace("\t", ",")},
        says=("Wrote 3 rows",),
        silent=("error",),
    ),
    "texts of several lines with as many commas as the header": Case(
        "apply c.csv d.csv -o o.csv",
        {
            "d.csv": 'label,text\nhelp,"Dear team,\nI need help, thanks\nregards, Tom"\nhelp,"a\nid,text\n1,b"\nx,ok\n',
            **NOTHING_TO_CHANGE,
        },
        says=("Wrote 3 rows",),
    ),
    "one row whose quoting is damaged": Case(
        "predict -m {model} d.csv -o o.tsv",
        {"d.csv": 'text,id\n"my" parcel,1\n"a, b",2\n'},
        1,
        says=("d.csv:2: the quoting of this row is invalid", "Wrote 2 rows", "1 of 2 texts could not be classified"),
    ),
    "a carriage return in a text": Case(
        "apply c.csv d.csv -o o.csv",
        {"d.csv": 'id,text\n1,"first line\rsecond line"\n', **NOTHING_TO_CHANGE},
        writes={"o.csv": 'id,text\n1,"first line\rsecond line"\n'},
    ),
    "a column's name with a line break": Case(
        "apply c.csv d.csv -o o.csv",
        {"d.csv": 'text,label,"a;b\nc"\nx,y,z\n', **NOTHING_TO_CHANGE},
        writes={"o.csv": 'text,label,"a;b\nc"\nx,y,z\n'},
    ),
    "JSON with numbers that JSON does not have": Case(
        "apply c.csv d.jsonl -o o.jsonl",
        {"d.jsonl": '{"text": "NaN, \\"-Infinity", "n": [NaN, -Infinity, 1.10]}\n', **NOTHING_TO_CHANGE},
        writes={"o.jsonl": '{"text": "NaN, \\"-Infinity", "n": [null, null, 1.10]}\n'},
    ),
    "formulas": Case(
        "apply c.csv d.csv -o o.csv", {"d.csv": FORMULAS, **NOTHING_TO_CHANGE}, writes={"o.csv": FORMULAS}
    ),
    "formulas that are escaped": Case(
        "apply c.csv d.csv -o o.csv --escape-formulas",
        {"d.csv": FORMULAS, **NOTHING_TO_CHANGE},
        writes={"o.csv": "text,n\n'=1+1,-1\n'@b,'+x\n"},
    ),
    "formulas that were escaped for a spreadsheet": Case(
        "apply c.csv d.csv -o o.csv",
        {
            "d.csv": "text,label\n=1+1,+a\n@b,-b\n",
            "c.csv": "line,text,label,suggested_label,original_label,action\n2,'=1+1,'+a,'-b,'+a,relabel\n",
        },
        writes={"o.csv": "text,label\n=1+1,-b\n@b,-b\n"},
    ),
    "quotes that Spark escapes": Case(
        "apply c.csv d.csv -o o.csv --escape-char '\\\\'",
        {"d.csv": SPARK, **NOTHING_TO_CHANGE},
        writes={"o.csv": SPARK.replace("C:\\new", '"C:\\\\new"')},
    ),
}
"""One file read or written as another, without a word."""

MISSING: dict[str, Case] = {}
"""A missing value in one of its many spellings."""

ADVICE: dict[str, Case] = {
    "quotes that Spark escapes": Case(
        "check d.csv --dry-run",
        {"d.csv": SPARK},
        1,
        says=(
            ":2 the quoting of this row is invalid",
            "if \\\" stands for a quote inside a field, use --escape-char '\\'",
        ),
    ),
}
"""Advice that must follow from the evidence."""

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
