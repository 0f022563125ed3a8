"""Cases that people ran into in the field, by kind: the input, and the right value. To add one, add a line."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import embedclf
from aimlapi_server import AimlapiServer, Response
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

ADVICE: dict[str, Case] = {}
"""Advice that must follow from the evidence."""

_TRAIN_API = "train d.csv --embedder aimlapi --head centroid --features embedding"
_ROWS = {"d.csv": "text,label\n" + "".join(f"text {number},{'ab'[number % 2]}\n" for number in range(12))}


def _says(status: int, message: str) -> Callable[[AimlapiServer], None]:
    """Answer every request with this error."""

    def arrange(api: AimlapiServer) -> None:
        body = json.dumps({"error": {"message": message}}).encode()
        api.fault = lambda request: Response(status, body)

    return arrange


FAULTS: dict[str, Case] = {
    "an account without money is asked once": Case(
        _TRAIN_API,
        _ROWS,
        exit=1,
        says=("You exceeded your current quota”; check the plan, or top up the account",),
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
}
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


CALLS: dict[str, tuple[Callable[[embedclf.TextClassifier], Any], Any]] = {
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
