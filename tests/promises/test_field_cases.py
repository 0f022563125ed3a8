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

import numpy as np
import pandas as pd
import pytest

import embedclf
from aimlapi_server import AimlapiServer, Response
from embedclf.classifier.recorded_rows import is_same
from embedclf.data.corpus import read_corpus
from embedclf.errors import MissingValueError
from embedclf.training.label_names import check_label_texts
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


_TRAIN = "train t.csv --embedder words --holdout 0 -o m.safetensors"
_MESSAGES = "title,body,label\nparcel,is late,a\n,lost post,a\npassword,,b\nlog in,fails now,b\n"

RAW = (
    'label\ttext\nham\tsee you at noon\nham\t"no way, she said\nspam\twin a prize now\nspam\tfree cash today\n'
    'ham\tthe new tv is 55"\nspam\treply to win\n'
)
SPARK = 'id,text\n1,"my \\"parcel\\", please"\n2,C:\\new\n3,"a\\\\"\n'

NOTHING_TO_CHANGE = {"c.csv": "line,text,label\n"}
FORMULAS = "text,n\n=1+1,-1\n@b,+x\n"

ANOTHER_FILE: dict[str, Case] = {
    "an option given twice": Case(
        "predict --input a.csv --input b.csv", exit=2, says=("Error: --input was given twice: it takes one value.",)
    ),
    "an old name given twice": Case("suggest a.csv -n 1 -n 2", exit=2, says=("Error: -n was given twice",)),
    "two texts": Case("predict -m {model} --text 'my parcel' --text 'my money'", says=("delivery", "refund")),
    "a text column given twice": Case(
        "cluster t.csv --text-column a --text-column a", exit=2, says=("the text column 'a' was given twice",)
    ),
    "two text columns": Case(
        f"{_TRAIN} --text-column title --text-column body",
        {"t.csv": _MESSAGES},
        says=("Saved m.safetensors",),
    ),
    "two text columns, one of which is not there": Case(
        f"{_TRAIN} --text-column title --text-column subject",
        {"t.csv": _MESSAGES},
        exit=1,
        says=("t.csv:1: no column 'subject' (found: 'title', 'body', 'label')",),
    ),
    "a model in place of another": Case(
        "train t.csv -o {model} --embedder aimlapi",
        {"t.csv": "text,label\nmy parcel,delivery\nmy money,refund\n"},
        exit=1,
        says=(
            "small.safetensors is a model with other labels: delivery, password, refund (30 rows, saved",
            "Replace it with --force, or choose another file with -o",
        ),
        requests=0,
    ),
    "a model in place of what is no model": Case(
        _TRAIN,
        {"t.csv": "text,label\na,x\nb,y\n", "m.safetensors": "notes"},
        exit=1,
        says=("Error: m.safetensors exists, and is not a usable model (saved", "Replace it with --force, or choose"),
        writes={"m.safetensors": "notes"},
    ),
    "a model in place of what is no model, by force": Case(
        f"{_TRAIN} --force",
        {"t.csv": "text,label\na,x\nb,y\n", "m.safetensors": "notes"},
        says=("Replacing m.safetensors, which is not a usable model (saved", "Saved m.safetensors"),
    ),
    "labels that differ in case only, joined": Case(
        "check t.csv --label-map m.json --embedder words --fix f.csv --dry-run",
        {"t.csv": "text,label\na b,Refund\nc d,refund\ne f,x\ng h,x\n", "m.json": '{"Refund": "refund", "y": "z"}'},
        says=(
            "m.json: joined 'Refund' with 'refund' (1 of 2 rows) Warning: m.json: no row has the label 'y' t.csv: 4",
        ),
        silent=("identical to another",),
    ),
    "a label map for what is not labelled": Case(
        "predict --input t.csv --label-map m.csv", exit=2, says=("No such option",)
    ),
    "the rows of a model, without the model": Case(
        "train t.csv --train-set a.csv", exit=2, says=("Error: --train-set names the rows of the model of --from",)
    ),
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
    "spaces before quotes": Case(
        "apply c.csv d.csv -o o.csv",
        {"d.csv": 'text, label\n"late, again", "a"\nplain, b\n', **NOTHING_TO_CHANGE},
        says=("d.csv: spaces before quotes skipped",),
        writes={"o.csv": 'text,label\n"late, again",a\nplain,b\n'},
    ),
    "quotes that Spark escapes": Case(
        "apply c.csv d.csv -o o.csv --escape-char '\\\\'",
        {"d.csv": SPARK, **NOTHING_TO_CHANGE},
        writes={"o.csv": SPARK.replace("C:\\new", '"C:\\\\new"')},
    ),
    "a text column without a name": Case(
        "predict -m {model} d.csv --text-column ''",
        {"d.csv": "text,label\na,b\n"},
        2,
        says=("Invalid value for '--text-column': the name of a text column is empty.",),
    ),
    "empty parts of labels in a tree": Case(
        "train d.csv --label-hierarchy ' /' --embedder words",
        {"d.csv": "text,label\na,b/c\nb,b//c\nc,/b\nd,b / d\n"},
        exit=1,
        says=("d.csv:3: the label 'b//c' has an empty part (separator '/') d.csv:4: the label '/b' has an empty part",),
    ),
    "empty parts of labels that are skipped": Case(
        "train d.csv --label-hierarchy / --embedder words --skip-bad-rows --dry-run",
        {"d.csv": "text,label\na,b/c\nb,b/ \u200b\nc,b / c\nd,b / d\n"},
        says=("Skipped 1 row: d.csv:3: the label", "d.csv: 3 rows, 2 labels"),
    ),
    "labels that others are below": Case(
        "train d.csv --label-hierarchy / --embedder words --holdout 0 -o m.safetensors",
        {"d.csv": "text,label\na b,x\nb c,x / y\nc d,x/y\nd e,x\n"},
        says=("'x': rows have this label itself, and others labels below it. Its probability is that of them all.",),
    ),
    "a separator that stands in no label": Case(
        "cross-validate d.csv --label-hierarchy / --embedder words",
        {"d.csv": "text,label\na,b > c\nb,d\n"},
        exit=1,
        says=("Error: no label contains the separator '/' (--label-hierarchy, label_hierarchy=…)", "are 'b > c', 'd'"),
    ),
    "truth values as labels, in two formats": Case(
        "train d.csv d.jsonl --embedder words --holdout 0 -o m.safetensors",
        {
            "d.csv": "text,label\na b,True\nc d,False\n",
            "d.jsonl": '{"text": "a e", "label": true}\n{"text": "c f", "label": false}\n',
        },
        says=("d.csv and d.jsonl: 4 rows, 2 labels",),
    ),
    "a truth value that is corrected": Case(
        "apply c.csv d.jsonl -o f.jsonl",
        {"d.jsonl": '{"text": "a", "label": true}\n', "c.csv": "line,text,label\n1,a,False\n"},
        writes={"f.jsonl": '{"text": "a", "label": false}\n'},
    ),
    "a separator of a tree in place of another": Case(
        "train d.csv --label-hierarchy . --embedder words",
        {"d.csv": "text,label\na,b/c\nb,b/d\n"},
        exit=1,
        says=("no label contains the separator '.'", "; did you mean '/'?"),
    ),
    "a separator of a tree that is none": Case(
        "cross-validate d.csv --label-hierarchy ''", exit=2, says=("--label-hierarchy': must be a separator such as",)
    ),
    "one separator for two things": Case(
        "train d.csv --label-separator / --label-hierarchy /",
        {"d.csv": "text,label\na,b/c\nb,b\n"},
        exit=1,
        says=("'/' cannot separate both the labels of a text (--label-separator) and the parts of a label",),
    ),
    "what labels in a tree are taken for, before anything is paid for": Case(
        "train d.csv --label-hierarchy / --embedder words --dry-run",
        {"d.csv": "text,label\na b,x\nb c,x/y/z\nc d,w\n"},
        says=("Labels in a tree (separated by '/'): 3 levels, 2 at the top", "'x': rows have this label itself"),
    ),
    "a tree beside a model": Case(
        "train d.csv --from {model} --label-hierarchy /", exit=2, says=("--label-hierarchy cannot be used with --from",)
    ),
    "lists as NumPy writes them": Case(
        "train d.csv --embedder words --dry-run",
        {"d.csv": "text,label\na,\"['x' 'y']\"\nb,\"['x'\n 'long name']\"\nc,['x']\n"},
        says=("d.csv: 3 rows, 3 labels", "(in lists): 1.7 on average"),
    ),
    "tuples and sets as Python writes them": Case(
        "train d.csv --embedder words --dry-run",
        {"d.csv": "text,label\na,\"('x', 'y')\"\nb,\"{{'x'}}\"\nc,()\n".replace("{{", "{").replace("}}", "}")},
        says=("d.csv: 3 rows, 2 labels", "(in lists): 1 on average, 1 text without any"),
    ),
    "a list without quotes": Case(
        "train d.csv --embedder words --dry-run",
        {"d.csv": 'text,label\na,"[x, y]"\nb,[y]\n'},
        says=("Warning: '[x, y]' is taken for one label; if it is a list of several, put each in quotes",),
    ),
    "labels in lists that are none": Case(
        "train d.jsonl --embedder words",
        {
            "d.jsonl": '{"text": "a", "label": ["x", null]}\n{"text": "b", "label": ["x", ""]}\n'
            '{"text": "c", "label": [1.5]}\n{"text": "d", "label": {"x": 1}}\n{"text": "e", "label": "[\'x\', None]"}\n'
        },
        exit=1,
        says=(
            "d.jsonl:1: the list of labels has null in it; expected strings",
            'd.jsonl:2: the list of labels has "" in it',
            "d.jsonl:3: the list of labels has 1.5 in it",
            "d.jsonl:4: the label is an object; expected a string or a list of strings",
            "d.jsonl:5: the list of labels has null in it",
        ),
    ),
    "nothing but separators": Case(
        "train d.csv --label-separator '|' --embedder words",
        {"d.csv": "text,label\na,x|y\nb,|\nc,x|x\n"},
        exit=1,
        says=("1 row of d.csv cannot be used: d.csv:3: the label is empty; write [] if the text has none",),
    ),
    "labels between spaces": Case(
        "train d.csv --label-separator ' ' --embedder words --dry-run",
        {"d.csv": "text,label\na,x  y\nb,x\n"},
        says=("2 rows, 2 labels", "(separated by ' '): 1.5 on average"),
    ),
    "labels between tabs": Case(
        r"train d.csv --label-separator \\t --embedder words --dry-run",
        {"d.csv": "text,label\na,x\ty\nb,x\n"},
        says=("2 rows, 2 labels",),
    ),
    "a separator that only parts a label from itself": Case(
        "train d.csv --label-separator '|' --embedder words",
        {"d.csv": "text,label\na,x|x\nb,x\n"},
        exit=1,
        says=("only one label, 'x'",),
        silent=("no label contains",),
    ),
    "label columns without a name": Case(
        "train d.csv --label-columns ,", exit=2, says=("--label-columns': must be the names of columns, such as",)
    ),
    "label columns in a file without a header": Case(
        "train d.csv --label-columns 2,3 --no-header --embedder words --dry-run",
        {"d.csv": "some long text here,1,0\nanother text there,0,1\n"},
        says=("d.csv: no header, texts in column 1", "2 rows, 2 labels", "(in 2 columns): 1 on average"),
    ),
    "label columns with spaces in the header": Case(
        "train d.csv --label-columns p,q --embedder words --dry-run",
        {"d.csv": "text, p, q\na, 1, 0\nb, 0, 1\n"},
        says=("2 rows, 2 labels", "(in 2 columns): 1 on average"),
    ),
    "two separators of labels": Case(
        "train d.csv --label-separator ';' --embedder words --dry-run",
        {"d.csv": "text,label\na,x;y\nb,x|y\nc,X\n"},
        says=(
            "Warning: 'x|y' is taken for one label, though the parts around '|' are labels, too",
            "label identical to another except for case, spaces or Unicode form: X",
        ),
    ),
    "a separator of labels that separates columns": Case(
        "train d.csv --label-separator '|' --embedder words",
        {"d.csv": "text|label\na|x\nb|y\n"},
        exit=1,
        says=("no label contains the separator '|'. It separates the columns of this file.",),
    ),
    "a label column that no text has": Case(
        "train d.csv --label-columns p,q,r --embedder words --dry-run",
        {"d.csv": "text,p,q,r\na,1,0,0\nb,1,0,1\n"},
        says=("(in 3 columns): 1.5 on average Warning: no text has the label 'q': it cannot be learned",),
    ),
    "label columns that were not named": Case(
        "train d.csv --embedder words",
        {"d.csv": "text,p,q\na,1,0\nb,1,1\n"},
        exit=1,
        says=("Choose one with --label-column, or columns of 0 and 1 with --label-columns",),
    ),
    "files put together, each with its header and mark": Case(
        "train d.csv --dry-run --skip-bad-rows",
        {"d.csv": 2 * "\ufefftext,label\na,x\nb,y\n"},
        says=("Skipped 1 row: d.csv:4: the header appears again in this line", "d.csv: 4 rows, 2 labels"),
    ),
}
"""One file read or written as another, without a word."""

_MARKED = "text,label\nmy parcel,a\nmy post,a\nN/A,a\nmy money,b\nmy refund,nan\nNone,nan\n"

MISSING: dict[str, Case] = {
    "null and NaN in JSON": Case(
        "check t.jsonl --dry-run --embedder words",
        {
            "t.jsonl": '{"text": "a b", "label": NaN}\n{"text": NaN, "label": "x"}\n{"text": null, "label": "y"}\n'
            '{"text": "c d", "label": null}\n{"text": "e f", "label": "x"}\n{"label": "y"}\n'
        },
        exit=1,
        says=("Error: 5 rows without a text or label", ":1 the label is empty: a b", ":2 'text' is missing: x"),
        silent=("NaN", "cannot be read"),
    ),
    "texts and labels of nothing that prints": Case(
        "check t.csv --dry-run --embedder words --fix fixed.csv",
        {"t.csv": "text,label\n\u200b\ufeff,a\n\u0301,b\n\ufffd\ufffd,a\n\x00\x07,b\nfine,\u200b\nalso fine,b\n"},
        exit=1,
        says=(
            "Error: 5 rows without a text or label",
            ":2 the text has nothing to read (only U+200B, U+FEFF): a :3",
            ":6 the label has nothing to read (only U+200B)",
        ),
    ),
    "words for missing values, in training": Case(
        "train t.csv --embedder words --holdout 0",
        {"t.csv": _MARKED},
        says=(
            "Warning: 3 words that may stand for a missing value: the label is 'nan' in 2 rows (:6, :7), the text is "
            "'N/A' in 1 row (:4), the text is 'None' in 1 row (:7). Kept as they are, like any text or label. If they "
            "mean that there is none, empty the cells or drop the rows.",
            "Trained on all 6 rows",
        ),
    ),
    "words for missing values, in a check": Case(
        "check t.csv --dry-run --embedder words",
        {"t.csv": _MARKED},
        exit=1,
        says=("Warning: 3 words that may stand for a missing value", ":6 the label is 'nan' in 2 rows (:6, :7)"),
    ),
    "a class of that name": Case(
        "check t.csv --dry-run --embedder words",
        {"t.csv": "text,label\n" + "".join(f"text {n},{('favour', 'none', 'against')[n % 3]}\n" for n in range(18))},
        says=("No problems found in 18 rows",),
    ),
    "the way Python writes a missing value": Case(
        "check t.csv --dry-run --embedder words",
        {"t.csv": "text,label\n" + "".join(f"text {n},{('favour', 'None', 'against')[n % 3]}\n" for n in range(18))},
        says=("the label is 'None' in 6 rows (:3, :6, :9, …)",),
    ),
    "an imbalance is of labels": Case(
        "train t.csv --embedder words --holdout 0",
        {"t.csv": "text,label\n" + "".join(f"text {n},{'rare' if n < 5 else 'usual'}\n" for n in range(70))},
        says=("1 label much rarer than another: rare (5 rows; 'usual' has 65, 13 times as many)",),
    ),
}
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
    "a last character that is cut off": Case(
        "train d.csv",
        {"d.csv": "text,label\nle café,a\nplain é".encode()[:-1]},
        1,
        ("d.csv: the rest is UTF-8: only row 3 is damaged",),
        silent=("--encoding",),
    ),
    "one row with accents": Case(
        "train d.csv --dry-run --skip-bad-rows",
        {"d.csv": b"text,label\n" + 30 * b"plain,a\nother,b\n" + b"Cr\xe8me br\xfbl\xe9e,a\n"},
        says=("the rest is ASCII: only row 62 is damaged; --encoding cp1252 reads 'Crème brûlée,a'",),
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
    "no header, a label as name between semicolons": Case(
        "predict d.csv -m {model}",
        {"d.csv": "what is the capital of Peru ?;question\nwho was it ?;question\n"},
        1,
        (_NO_HEADER,),
    ),
    "no header, as told, a label as name": Case(
        "check d.csv --no-header --dry-run",
        {"d.csv": "what is the capital of Peru ?,question\nwho was it ?,question\nI like it,praise\nso good,praise\n"},
        0,
        ("d.csv: no header, texts in column 1, labels in column 2", "4 rows, 2 labels"),
    ),
    "nothing but a number": Case(
        "check d.json --dry-run", {"d.json": "3\n"}, 1, (":1 the line is valid JSON, but not an object",)
    ),
    "lines without a header": Case(
        "predict d.txt -m {model}",
        {"d.txt": "i am down\nfine\n"},
        1,
        ("Use --text-column 'i am down', or --no-header if that is a row",),
    ),
    "one conversation": Case(
        "train d.jsonl",
        {"d.jsonl": '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}]}\n'},
        1,
        ("d.jsonl: this is a file of conversations, with a list of messages in each record",),
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
        "train d.txt --dry-run",
        {"d.txt": "__label__joy i feel fine\n__label__sad so alone\n__label__joy __label__sad both\n"},
        0,
        ("fastText's format (__label__)", "Several labels per text (in lists): 1.3", "3 rows, 2 labels"),
    ),
    "fastText, with labels at the end": Case(
        "check d.txt --dry-run",
        {"d.txt": "i feel fine __label__joy\nso alone __label__sad\n"},
        1,
        ("fastText's format (__label__)", "2 rows, 2 labels"),
    ),
    "a number in a list": Case(
        "apply c.csv d.jsonl -o o.jsonl",
        {
            "d.jsonl": '{"text": "a", "labels": [3]}\n',
            "c.csv": "line,text,label,suggested_label,original_label,action\n1,a,3,4,3,relabel\n",
        },
        writes={"o.jsonl": '{"text": "a", "labels": [4]}\n'},
    ),
    "an object without keys": Case(
        "predict d.json -m {model}", {"d.json": "{}\n"}, 1, ("d.json:1: 'text' is missing",)
    ),
    "two arrays": Case(
        "train d.jsonl", {"d.jsonl": '[{"text": "a"}]\n[{"text": "b"}]\n'}, 1, ("d.jsonl:1: the line is an array of",)
    ),
    "several labels in a list": Case(
        "train d.jsonl --dry-run",
        {"d.jsonl": '{"text": "a", "label": ["x", "y"]}\n' + _LABELLED},
        0,
        ("Several labels per text (in lists): 1.3 on average",),
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
    "an address": Case(
        "train https://example.org/d.csv",
        {},
        1,
        ("https://example.org/d.csv: file not found. URLs are not read; download the file: curl -LO https://",),
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
    "fields that R separates by spaces": Case(
        "train d.txt",
        {"d.txt": '"text" "label"\n"1" "my parcel" "a"\n'},
        1,
        ("as R's write.table does it: use write.csv",),
    ),
    "blank lines only": Case("train d.csv", {"d.csv": "\n\n"}, 1, ("the file is empty",)),
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

_FOREIGN: dict[str, tuple[bytes, str]] = {
    "bz2.csv": (bz2.compress(b"x"), "a bzip2 file: decompress it first: bunzip2 -c bz2.csv > bz2.unpacked.csv"),
    "d.csv.bz2": (bz2.compress(b"x"), "a bzip2 file: decompress it first: bunzip2 -k d.csv.bz2"),
    "d.zip": (_zipped("train.csv", "test.csv"), "a ZIP archive, which holds train.csv, test.csv: unpack it first"),
    "d.xlsb": (
        _zipped("[Content_Types].xml", "xl/workbook.bin"),
        "a binary Excel file (.xlsb): save it as CSV (UTF-8), or export it",
    ),
    "d.docx": (_zipped("[Content_Types].xml", "word/document.xml"), "a text document"),
    "d.npz": (_zipped("x.npy"), "a file of NumPy arrays"),
    "d.tar": (bytes(257) + b"ustar", "a tar archive"),
    "d.pkl": (pickle.dumps(["a"]), "a Python pickle: loading it could run code"),
    "db.csv": (
        b"SQLite format 3\x00",
        "an SQLite database: export the table: sqlite3 -header -csv db.csv 'SELECT * FROM NAME' > db.converted.csv",
    ),
    "d.db": (b"SQLite format 3\x00", "an SQLite database"),
    "d.feather": (b"ARROW1\0\0", "an Arrow (Feather) file: convert it to Parquet: python3 -c"),
    "d.pdf": (b"%PDF-1.4\n", "a PDF document"),
    "page.csv": (b"<!DOCTYPE html><title>Sign in</title>", "an HTML page called 'Sign in'"),
    "d.xml": (b'<?xml version="1.0"?>\n<rows/>', "XML"),
    "lfs.csv": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the file itself"),
    "annex.csv": (b"/annex/objects/SHA256E-s1--abc.csv\n", "a git-annex pointer"),
    "d.ipynb": (b'{"cells": [{"cell_type": "code"}]}', "a Jupyter notebook"),
    "dump.csv": (b"-- MySQL dump\nCREATE TABLE t (a int);", "a dump of an SQL database"),
    "list.yaml": (b"- text: a\n  label: b\n", "YAML"),
    "table.md": (b"| text | label |\n|------|-------|\n| a | b |\n", "a Markdown table"),
    "dvc.csv": (b"outs:\n- md5: abc\n  path: d.csv\n", "a DVC pointer"),
    "missing.csv": (b"404: Not Found", "the error of a server"),
    "missing.json": (b'{"error":"The dataset does not exist."}', "the error of a server"),
    "noise.csv": (bytes(range(256)), "binary data"),
}
ADVICE |= {
    name: Case(f"check {name}", {name: content}, 1, (f"{name}: this is {what}",))
    for name, (content, what) in _FOREIGN.items()
}

_TRAIN_API = "train d.csv --embedder aimlapi --head centroid --features embedding"
_ROWS = {"d.csv": "text,label\n" + "".join(f"text {number},{'ab'[number % 2]}\n" for number in range(12))}


_COSTS = "train t.csv --embedder words --dry-run --costs c.csv"
_LABELLED = {"t.csv": "text,label,w\na b,x,1\nc d,x,2\ne f,y,0\ng h,y,3\n"}
WEIGHING: dict[str, Case] = {
    "costs with slips": Case(
        _COSTS,
        {
            **_LABELLED,
            "c.csv": "label,answer,cost\nX,*,10\nx,x,-1\n,y,1\nx,out,2\nx,y,much\nx,y,\ny,x,3\ny,x,4\n",
        },
        1,
        (
            "Error: 7 rows of c.csv cannot be used: c.csv:2: the label 'X' does not occur; did you mean 'x'? ",
            "c.csv:3: the cost is '-1': a cost must be a number from 0 to 1e+12 ",
            "c.csv:4: the label is missing; * stands for any ",
            "c.csv:5: the answer 'out' does not occur",
            "c.csv:6: the cost is 'much'",
            "c.csv:7: the cost is missing",
            "c.csv:9: line 8 has another cost (3) for the same label and answer",
        ),
    ),
    "costs without their column": Case(
        _COSTS, {**_LABELLED, "c.csv": "true,predicted,price\nx,y,2\n"}, 1, ("c.csv:1: no column 'cost' or 'costs'",)
    ),
    "costs with semicolons, other names, and a right answer that costs most": Case(
        _COSTS,
        {**_LABELLED, "c.csv": "\ufeffTrue;Predicted;Cost\nx;x;2\nx;y;1\n;;\n"},
        says=(
            "Warning: c.csv: the right answer to 'x' costs more than a wrong one",
            "c.csv: no costs for 'y': a",
        ),
    ),
    "costs of the out-of-scope label": Case(
        f"{_COSTS} --out-of-scope-label out",
        {"t.csv": _LABELLED["t.csv"] + "i j,out,1\nk l,out,1\n", "c.csv": "label,answer,cost\nout,*,5\nx,out,1\n"},
        1,
        ("c.csv:3: the answer 'out' is the out-of-scope label, which is never given: leave the answer empty for",),
    ),
    "costs and class weights": Case(f"{_COSTS} --class-weight balanced", exit=2, says=("use only one of them.",)),
    "costs to evaluate with, of another label": Case(
        "evaluate t.csv -m {model} --costs c.csv",
        {"t.csv": "text,label\na,refund\nb,delivery\n", "c.csv": "label,answer,cost\nrefnd,*,2\n"},
        1,
        ("c.csv:2: the label 'refnd' does not occur; did you mean 'refund'?",),
    ),
    "weights of labels with slips": Case(
        "cross-validate t.csv --embedder words --class-weight w.csv",
        {**_LABELLED, "w.csv": "label,weight\nx,0\nz,1\ny,2\ny,2\n"},
        1,
        ("w.csv:2: the weight is '0', not a positive number", "w.csv:3: the label 'z'", "w.csv:5: line 4 has a weight"),
    ),
    "a class weight that is no file": Case(
        "compare t.csv --class-weight balance", exit=2, says=("must be balanced, or a file with the columns label and",)
    ),
    "weights of rows with slips": Case(
        f"{_TRAIN} --weight-column w",
        {"t.csv": "text,label,w\na b,x,-1\nc d,x,\ne f,y,heavy\ng h,y,inf\ni j,y,1\n"},
        1,
        (
            "4 rows of t.csv have no valid weight: t.csv:2: the weight -1 is negative t.csv:3: no weight in 'w' ",
            "t.csv:4: the weight 'heavy' is not a number t.csv:5: the weight 'inf' is not a finite number Fix them; a",
        ),
    ),
    "weights that are all zero": Case(
        f"{_TRAIN} --weight-column w",
        {"t.csv": "text,label,w\na b,x,0\nc d,y,0.0\n"},
        1,
        ("t.csv: all weights in 'w' are 0, so that no row is left",),
    ),
    "a weight column that is not there": Case(
        f"{_TRAIN} --weight-column v", _LABELLED, 1, ("t.csv: no column 'v' (found: 'text', 'label', 'w')",)
    ),
    "a weight column that has the labels": Case(
        f"{_TRAIN} --weight-column label", _LABELLED, 1, ("the column 'label' has the texts or the labels",)
    ),
    "rows of weight 0": Case(
        f"{_TRAIN} --weight-column w", _LABELLED, says=("t.csv: 1 row of weight 0 left out", "Trained on all 3 rows")
    ),
    "weights of rows that there are none of": Case(
        "train --labels l.csv --weight-column w --costs c.csv",
        {"l.csv": "label\nparcel\nrefund\n"},
        1,
        ("Error: --weight-column (weight_column=) needs labelled texts, and there are none",),
    ),
    "weights of rows as numbers": Case(
        "learning-curve t.jsonl --embedder words --weight-column w --dry-run",
        {"t.jsonl": '{"text":"a b","label":"x","w":1}\n{"text":"c d","label":"y","w":0.5}\n'},
    ),
    "weights that one of two files lacks": Case(
        "train t.csv u.csv --embedder words --weight-column w",
        {**_LABELLED, "u.csv": "text,label\nk l,x\n"},
        1,
        ("Error: u.csv: no column 'w', which the other files have",),
    ),
    "weights of rows that are skipped": Case(
        f"{_TRAIN} --weight-column w --skip-bad-rows --dry-run",
        {"t.csv": 'text,label,w\na b,x,-1\nc d,x,"1,5"\ne f,y,1e300\ng h,y,1\ni j,x,1\n'},
        says=(
            "Skipped 3 rows: t.csv:2: the weight -1 is negative t.csv:3: the weight '1,5' is not a number; write 1.5 "
            "t.csv:4: the weight 1e300 is above 1e+12",
            "t.csv: 2 rows, 2 labels",
        ),
    ),
    "a decimal comma": Case(
        _COSTS,
        {**_LABELLED, "c.csv": "label;answer;cost\nx;y;5,5\n"},
        1,
        ("c.csv:2: the cost is '5,5': a cost must be a number from 0 to 1e+12; write 5.5",),
    ),
    "a target without a share": Case("train t.csv --target-precision x", exit=2, says=("must be LABEL=SHARE, such",)),
    "a target given twice": Case(
        "train t.csv --target-recall x=0.9 --target-recall x=95%", exit=2, says=("'x' was given twice",)
    ),
    "a target of a label that does not occur": Case(
        "train t.csv --embedder words --target-recall z=90%", _LABELLED, 1, ("target_recall has the label 'z', which",)
    ),
    **{
        f"{asked.partition(' ')[0]} with {what} {kind}": Case(
            f"train t.csv --embedder aimlapi --label-{what} {kind} {asked}",
            {"t.csv": "text,label\na b,x|y/1\nc d,y/1\ne f,x\ng h,y/2\n"},
            1,
            (says,),
            requests=0,
        )
        for what, kind, asked, says in (
            ("separator", "|", "--target-accuracy 0.9", "choose the thresholds of labels by --target-precision LABEL="),
            ("separator", "|", "--costs c.csv", "say what it costs to miss a label with --class-weight FILE"),
            ("hierarchy", "/", "--costs c.csv", "train without --label-hierarchy to answer by costs, always with"),
            ("hierarchy", "/", "--target-precision y=0.9", "'y', which stands only above others: give targets to th"),
            ("separator", "|", "--target-recall y=0.9", "target_recall has the label 'y', which does not occur"),
            ("separator", "|", "--out-of-scope-label x", "t.csv:2: the label 'x', for texts that no label applies to"),
        )
    },
    "an out-of-scope label in other letters": Case(
        "train t.csv --embedder words --out-of-scope-label Y",
        _LABELLED,
        1,
        ("no row has the label 'Y' (--out-of-scope-label); did you mean 'y'?",),
    ),
    "a target without enough rows": Case(
        "train t.csv --embedder words --target-recall x=90%",
        _LABELLED,
        1,
        (
            "no threshold of 'x' reliably reaches a recall of 0.9: the best is 0.",
            "Lower --target-recall (target_recall",
        ),
    ),
}


def _says(status: int, message: str) -> Callable[[AimlapiServer], None]:
    """Answer every request with this error."""
    return _answers(status, {"error": {"message": message}})


def _answers(status: int, content: object) -> Callable[[AimlapiServer], None]:
    """Answer every request with this JSON."""

    def arrange(api: AimlapiServer) -> None:
        body = json.dumps(content).encode()
        api.fault = lambda request: Response(status, body)

    return arrange


FAULTS: dict[str, Case] = {
    "an account without money is asked once": Case(
        _TRAIN_API,
        _ROWS,
        exit=1,
        says=("You exceeded your current quota” (inference ", "); check the plan, or top up the account"),
        server=_says(429, "You exceeded your current quota"),
        requests=1,
    ),
    "a place that is not served": Case(
        _TRAIN_API,
        _ROWS,
        exit=1,
        says=("the provider does not serve the place that the request comes from",),
        silent=("top up",),
        server=_says(403, "Country, region, or territory not supported"),
        requests=1,
    ),
    "an account without money, in a list of errors": Case(
        _TRAIN_API,
        _ROWS,
        exit=1,
        says=("check the plan, or top up the account",),
        server=_answers(429, {"errors": [{"code": "insufficient_quota", "message": "no"}]}),
        requests=1,
    ),
    "an account without money, with the status of a success": Case(
        _TRAIN_API,
        _ROWS,
        exit=1,
        says=("returned 402: “no” (inference ", "); top up the account"),
        server=_answers(200, {"error": {"message": "no", "code": 402}}),
        requests=1,
    ),
}
"""A server's fault that stays must end soon; one that passes must not end the run."""

CASES = {**ANOTHER_FILE, **MISSING, **ADVICE, **WEIGHING, **FAULTS}


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


def _missing(where: str, advice: str = "df.dropna(subset=…)") -> embedclf.ArgumentError:
    return MissingValueError(f"{where}: leave such rows out, for example {advice}")


def _in_another_order(name: str) -> embedclf.ArgumentError:
    return embedclf.ArgumentError(
        f"the index of {name} is that of the texts in another order: pass {name}.loc[texts.index], or "
        f"{name}.to_numpy() if the rows are in the order of the texts"
    )


_FRAME = pd.DataFrame({"title": ["a", "b", "c"], "body": ["x", None, "z"], "label": ["k", "l", None]}, index=[3, 5, 8])

CALLS: dict[str, tuple[Callable[[embedclf.TextClassifier], Any], Any]] = {
    "a missing text among those to train on": (
        lambda _: embedclf.train(["a b", "c d", float("nan"), "e f"], ["x", "y", "x", "y"]),
        _missing("texts[2] is missing (nan)"),
    ),
    "a missing label": (lambda _: embedclf.train(["a", "b"], ["x", None]), _missing("labels[1] is missing (None)")),
    "a missing text of a data frame": (
        lambda _: embedclf.train(_FRAME.convert_dtypes(), text="body"),
        _missing("texts[1] is missing (<NA>) at index 5, column 'body'", "df.dropna(subset=['body'])"),
    ),
    "a missing label of a data frame": (
        lambda _: embedclf.cross_validate(_FRAME, text=["title", "body"]),
        _missing("labels[2] is missing (nan) at index 8, column 'label'", "df.dropna(subset=['label'])"),
    ),
    "a row without any of the labels in columns": (
        lambda _: embedclf.train(pd.DataFrame({"text": ["a", "b"], "k": [1, pd.NA], "m": [0, None]}), label=["k", "m"]),
        _missing(
            "labels[1] is missing (nan) at index 1, columns 'k' and 'm'", "df.dropna(subset=['k', 'm'], how='all')"
        ),
    ),
    "no part of a text": (
        lambda _: (
            embedclf.check(pd.DataFrame({"a": ["x", None], "b": ["y", np.nan]}), text=["a", "b"], vectors=np.eye(2))
            .of("empty")[0]
            .row
        ),
        1,
    ),
    "costs that are no pairs": (
        lambda _: embedclf.train(["a", "b"], ["x", "y"], embedder="words", costs={"x": 2}),
        embedclf.ArgumentError("costs must have pairs of a label and an answer as keys, got 'x'"),
    ),
    "a negative cost": (
        lambda _: embedclf.train(["a", "b"], ["x", "y"], embedder="words", costs={("x", "y"): -2}),
        embedclf.ArgumentError("the cost of answering 'y' for 'x' is -2: a cost must be a number from 0 to 1e+12"),
    ),
    "costs of a label that does not occur": (
        lambda classifier: embedclf.evaluate(classifier, ["a"], ["refund"], costs={("refnd", "*"): 2}),
        embedclf.ArgumentError("costs name the label 'refnd', which does not occur; did you mean 'refund'?"),
    ),
    "a coverage that is no number": (
        lambda classifier: classifier.classify(["a"], coverage="0.9"),  # type: ignore[arg-type]
        embedclf.ArgumentError("coverage must be above 0 and below 1, got '0.9'"),
    ),
    "labels with descriptions, and texts with several": (
        lambda _: embedclf.train(["a", "b"], [["x"], ["x", "y"]], label_texts=["x", "y"], embedder="wordllama"),
        embedclf.ArgumentError("--labels (label_texts) is for texts with one label each; these have several"),
    ),
    "labels of nothing": (
        lambda _: embedclf.train(label_texts={}),
        embedclf.TrainingError("there are no labels: a classifier needs at least two"),
    ),
    "a weight that is too large": (
        lambda _: embedclf.train(["a", "b"], ["x", "y"], embedder="words", sample_weight=[1, 1e300]),
        embedclf.ArgumentError("sample_weight[1] is 1e+300, not a positive number up to 1e+12"),
    ),
    "a matrix of labels as the list of its rows": (
        lambda _: embedclf.EmbeddedTexts(["a", "b"], [[1, 1, 0], [0, 0, 1]]).label_sets,
        [("0", "1"), ("2",)],
    ),
    "labels that are named 0 and 1": (
        lambda _: embedclf.EmbeddedTexts(["a", "b"], [["0", "1"], ["1", "0"]]).label_sets,
        [("0", "1"), ("0", "1")],
    ),
    "fewer lists of labels than texts": (
        lambda _: embedclf.EmbeddedTexts(["a", "b", "c"], [["x", "y"], ["x"]]),
        embedclf.ArgumentError("got 3 texts but 2 lists of labels"),
    ),
    "a target that is no share": (
        lambda _: embedclf.train(["a", "b"], ["x", "y"], embedder="words", target_recall={"x": 90}),
        embedclf.ArgumentError("the target_recall of 'x' must be between 0 and 1, got 90"),
    ),
    "a missing target of the estimator": (
        lambda _: embedclf.EmbeddingClassifier("wordllama").fit(["a", "b", "c", "d"], ["x", "y", None, "y"]),
        _missing("y[2] is missing (None)"),
    ),
    "a missing text of the estimators": (
        lambda _: embedclf.EmbeddingTransformer("wordllama").fit_transform(np.array(["a", np.nan], dtype=object)),
        _missing("texts[1] is missing (nan)"),
    ),
    "a missing text to classify": (
        lambda classifier: [
            one.error for one in classifier.classify(["my parcel", None, pd.NA, float("nan"), "\u200b"])
        ],
        [None, *["the text is missing"] * 3, "the text has nothing to read (only U+200B)"],
    ),
    "a missing text to embed": (
        lambda classifier: embedclf.as_langchain(classifier.embedder).embed_documents(["a", pd.NaT]),
        _missing("texts[1] is missing (NaT)"),
    ),
    "a number among the texts": (
        lambda classifier: classifier.classify(["my parcel", 5, None]),
        TypeError("texts must be strings, but texts[1] is of type int; to convert them, pass map(str, texts)"),
    ),
    "bytes among the texts": (
        lambda classifier: classifier.classify(["my parcel", b"x"]),  # type: ignore[list-item]
        TypeError(
            "texts must be strings, but texts[1] is of type bytes; to convert them, pass map(bytes.decode, texts)"
        ),
    ),
    "a label in a tree with an empty part": (
        lambda _: embedclf.train(["a b", "c d"], ["x/y", "x/"], label_hierarchy="/"),
        embedclf.TrainingError("labels[1]: the label 'x/' has an empty part (separator '/')"),
    ),
    "a separator that is none": (
        lambda _: embedclf.cross_validate(["a b", "c d"], ["x/y", "x/z"], label_hierarchy=""),
        embedclf.ArgumentError("--label-hierarchy (label_hierarchy=…) must be a separator such as '/', got ''"),
    ),
    "descriptions in a series": (
        lambda _: check_label_texts(pd.Series({"card": "my card", "refund": ["money", "back"]})),
        {"card": ("my card",), "refund": ("money", "back")},
    ),
    "descriptions in a column, by labels in the index": (
        lambda _: check_label_texts(
            pd.DataFrame({"label": [7, 8], "description": ["my card", "money"]}).set_index("label")
        ),
        {"7": ("my card",), "8": ("money",)},
    ),
    "labels in some rows of a column": (
        lambda _: check_label_texts(pd.Series(["card", "refund"], index=[4, 9], name="label")),
        {"card": (), "refund": ()},
    ),
    "descriptions in a set": (
        lambda _: check_label_texts({"card": {"my card"}}),  # type: ignore[dict-item]
        TypeError("label_texts['card'] must be a string or a list of them, not set"),
    ),
    "labels in another order than the texts": (
        lambda _: embedclf.train(pd.Series(["a", "b"], index=[3, 5]), pd.Series(["x", "y"], index=[5, 3])),
        _in_another_order("labels"),
    ),
    "weights in another order than the texts": (
        lambda _: embedclf.cross_validate(
            pd.DataFrame({"text": ["a", "b", "c", "d"], "label": ["x", "y", "x", "y"]}),
            sample_weight=pd.Series([1, 2, 3, 4], index=[3, 1, 2, 0]),
        ),
        _in_another_order("sample_weight"),
    ),
    "the y of an estimator in another order": (
        lambda _: embedclf.EmbeddingClassifier("wordllama").fit(pd.Series(["a", "b"]), pd.Series([1, 2], index=[1, 0])),
        _in_another_order("y"),
    ),
    "weights and targets in series of another index, and an iterator": (
        lambda _: (
            embedclf.train(
                pd.Series(["a b", "c d", "a e", "c f"], index=list("abcd")),
                pd.Series(["x", "y", "x", "y"], index=[9, 8, 7, 6]),
                embedder="words",
                C=1.0,
                holdout=0,
                class_weight=pd.Series({"x": 2.0, "y": 1.0}),
                sample_weight=iter([1, 1, 1, 2]),
                target_recall=pd.Series({"x": 0.5}),
            ).card.training.class_weight
        ),
        {"x": 2.0, "y": 1.0},
    ),
    "a label with two weights": (
        lambda _: embedclf.train(
            ["a", "b"], ["x", "y"], embedder="words", class_weight=pd.Series([1, 2], index=["x", "x"])
        ),
        embedclf.ArgumentError("class_weight has 'x' twice"),
    ),
    "costs in a series": (
        lambda classifier: (
            embedclf.evaluate(
                classifier,
                ["my parcel", "my money"],
                ["delivery", "refund"],
                costs=pd.Series({("refund", "*"): 2.0, ("delivery", None): 1.0}),
            ).answers.cost.mean
        ),
        0.0,
    ),
    "truth values, for a model that has them as JSON writes them": (
        lambda _: (
            embedclf.evaluate(
                embedclf.train(["a b", "c d"] * 2, ["true", "false"] * 2, embedder="words", C=1.0, holdout=0),
                ["a b", "c d", "a"],
                [True, False, True],
            ).accuracy
        ),
        1.0,
    ),
    "truth values in the rows of such a model": (
        lambda _: is_same(
            embedclf.train(["a b", "c d"], ["true", "false"], embedder="words", C=1.0, holdout=0).card.training,
            *(["a b", "c d"], ["True", "False"]),
        ),
        True,
    ),
    "a name in place of an embedder": (
        lambda classifier: embedclf.as_langchain("wordllama"),  # type: ignore[arg-type]
        TypeError("embedder must be an Embedder, got str: as_langchain(embedclf.open_embedder('wordllama'))"),
    ),
}
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
