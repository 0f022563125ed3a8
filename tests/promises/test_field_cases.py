"""Cases that people ran into in the field, by kind: the input, and the right value. To add one, add a line."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import embedclf
from aimlapi_server import AimlapiServer
from embedclf.errors import MissingValueError
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

ADVICE: dict[str, Case] = {}
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


def _missing(where: str, advice: str = "df.dropna(subset=…)") -> embedclf.ArgumentError:
    return MissingValueError(f"{where}: leave such rows out, for example {advice}")


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
    "no part of a text": (
        lambda _: (
            embedclf.check(pd.DataFrame({"a": ["x", None], "b": ["y", np.nan]}), text=["a", "b"], vectors=np.eye(2))
            .of("empty")[0]
            .row
        ),
        1,
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
