"""Run what README and docs/ show: the commands, the Python, and the requests to the service.

The tests compare what is printed with what the pages show; `docs/renew.py` writes it into the pages instead. A page is
one session, from top to bottom, in a scratch folder that holds the datasets:

- A ``sh`` block runs line by line, those lines that call ``embedclf``. A ``text`` block right after it shows what its
  last command prints. A line with only ``…`` stands for lines that are left out.
- A command whose output is not shown has every sixth row of the datasets, which is enough to end well; unless the page
  says ``<!-- all rows -->``, because its later commands need what the earlier ones write.
- A ``python`` block runs with the names of the blocks before it. A comment behind an expression that is a literal is
  its value.
- A ``bash`` block with ``embedclf serve`` names the model that the ``curl`` blocks after it ask; the ``json`` block
  after one of these shows the answer.
- Other blocks, and those with an address of a cluster (``tcp://``), are not run.
"""

import ast
import csv
import difflib
import gzip
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import embedclf
from embedclf.cli import main

ROOT = Path(__file__).parent.parent
GENERATED = ("commands.md", "python-api.md")
NUMBER = r"\d[\d,.]*\d|\d"
KEY = "your-key"
# A line that says how long something will take, or when a file was saved, is the machine's.
_SECONDS = re.compile(
    r"^.*\b(?:about (?:a|\d+) (?:s|seconds?|min|minutes?)\b|saved \d{4}-\d\d-\d\d \d\d:\d\d).*\n", flags=re.MULTILINE
)


def pages() -> list[Path]:
    """Return README and the pages of docs/ that are written by hand."""
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if p.name not in GENERATED)]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where the text stands in the page."""

    language: str
    text: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", page, flags=re.DOTALL | re.MULTILINE)
    return [Block(one[2], one[3], one.start(3), one.end(3)) for one in found]


def shown_after(page: str, block: Block, language: str) -> Block | None:
    """Return the block that shows what this one prints: the next, if nothing but an empty line is between."""
    following = next((one for one in blocks(page) if one.start > block.end), None)
    if following is None or following.language != language:
        return None
    return following if re.fullmatch(r"```\n\n```\w+[^\n]*\n", page[block.end : following.start]) else None


def commands(block: Block) -> list[str]:
    """Return the lines of a block that call ``embedclf``, continued lines joined, without what is before ``&&``."""
    lines = block.text.replace("\\\n", " ").splitlines()
    lines = [line.split("&& ")[-1].strip() for line in lines]
    return [line for line in lines if re.match(r"(\w+=\S+ |echo .*\| )*embedclf ", line)]


@dataclass(frozen=True)
class Shown:
    """What a page shows, what came of it, and whether the two say the same."""

    block: Block
    source: str
    printed: str
    same: bool


class Session:
    """The scratch folders of a page, and the processes and names that its blocks share."""

    def __init__(self, folder: Path, *, all_rows: bool) -> None:
        self._whole = folder / "whole"
        self._small = self._whole if all_rows else folder / "small"
        self._names: dict[str, Any] = {}
        self._model: Path | None = None
        self._closing = ExitStack()
        for place, every in {self._small: 1 if all_rows else 6, self._whole: 1}.items():
            lay_out(place, every)

    def command(self, line: str, *, shown: bool) -> str:
        """Run a command; return what it prints on both streams, in order."""
        echoed, _, rest = line.rpartition(" | ")
        words = shlex.split(rest, comments=True)
        variables = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        if variables.get("AIMLAPI_API_KEY") == KEY or "--live" in words:
            variables["AIMLAPI_BASE_URL"] = self._api_url()
        stdin = shlex.split(echoed)[1] if echoed else None
        with _within(self._whole if shown else self._small, variables):
            done = CliRunner(catch_exceptions=False).invoke(main, words[1:], input=stdin, prog_name="embedclf")
        assert done.exit_code == 0, f"{line}\n\n{done.output}"
        return _SECONDS.sub("", done.output)

    def python(self, code: str) -> None:
        """Run a block of Python; compare the values that it shows."""
        lines = code.splitlines()
        with _within(self._whole, {}):
            for statement in ast.parse(code).body:
                comment = re.search(r"  # (.+)$", lines[(statement.end_lineno or 1) - 1])
                if isinstance(statement, ast.Expr) and comment and (value := _literal(comment[1])) is not None:
                    got = eval(compile(ast.Expression(statement.value), code, "eval"), self._names)
                    assert alike(repr(got), repr(value)), f"{ast.unparse(statement)}\n\nshown: {value}\ngot:   {got}"
                else:
                    exec(compile(ast.Module([statement], []), code, "exec"), self._names)

    def serve(self, command: str) -> None:
        """Take note of the model that a service answers with."""
        words = shlex.split(command)
        self._model = self._whole / words[words.index("-m") + 1]

    def curl(self, command: str) -> str:
        """Send a request to the service; return its answer, as JSON to be read."""
        from starlette.testclient import TestClient

        assert self._model is not None
        words = shlex.split(command.replace("\\\n", " "))
        url = next(word for word in words if word.startswith("http://"))
        headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
        body = words[words.index("-d") + 1] if "-d" in words else None
        with TestClient(embedclf.create_app(embedclf.load(self._model)), base_url="http://127.0.0.1:8000") as client:
            answer = client.request("POST" if body else "GET", url, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return json.dumps(answer.json(), indent=2, ensure_ascii=False) + "\n"

    def close(self) -> None:
        """Stop what the session has started."""
        self._closing.close()

    def _api_url(self) -> str:
        """Start AI/ML API on loopback, once."""
        if not hasattr(self, "_api"):
            sys.path.append(str(ROOT / "tests" / "support"))
            from aimlapi_server import AimlapiServer

            self._api = self._closing.enter_context(AimlapiServer(api_key=KEY))
        return str(self._api.base_url)


def run_page(path: Path, folder: Path) -> Iterator[Shown]:
    """Run a page from top to bottom in an empty folder; yield each thing that it shows."""
    page = path.read_text(encoding="utf-8")
    session = Session(folder, all_rows="<!-- all rows -->" in page)
    try:
        for block in blocks(page):
            if "tcp://" in block.text:
                continue
            if block.language == "sh" and (lines := commands(block)):
                shown = shown_after(page, block, "text")
                for line in lines:
                    printed = session.command(line, shown=shown is not None and line is lines[-1])
                if shown is not None:
                    same = not difference(printed, shown.text)
                    yield Shown(shown, lines[-1], printed, same)
            elif block.language == "python":
                session.python(block.text)
            elif block.language == "bash" and block.text.startswith("embedclf serve"):
                session.serve(block.text)
            elif block.language == "bash" and block.text.startswith("curl"):
                printed = session.curl(block.text)
                if (shown := shown_after(page, block, "json")) is not None:
                    same = alike(_canonical(printed), _canonical(shown.text))
                    yield Shown(shown, block.text, printed, same)
    finally:
        session.close()


def difference(printed: str, shown: str) -> str:
    """Return what is shown and not printed, nothing if all of it is.

    Figures may differ a little from machine to machine. Where lines are left out, the first part begins the output,
    each further part is somewhere behind the one before, and the last one ends it.
    """
    lines, place = _untimed(printed).splitlines(), 0
    for number, part in enumerate(_parts(_untimed(shown))):
        starts = range(place, len(lines) - len(part) + 1) if number else [0]
        found = next((at for at in starts if alike("\n".join(lines[at : at + len(part)]), "\n".join(part))), None)
        if found is None:
            return "\n".join(part)
        place = found + len(part)
    return "" if place == len(lines) or shown.endswith("…\n") else "(more is printed behind it)"


def renewed(printed: str, shown: str) -> str:
    """Return what is printed, cut to the parts that were shown: where these are, the lines most like them are."""
    lines, parts = printed.splitlines(), _parts(shown)
    if len(parts) == 1:
        return printed
    chosen: list[list[str]] = []
    place = 0
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if not number or not part:
            at = place
        elif last and not shown.endswith("…\n"):
            at = max(place, len(lines) - len(part))
        else:
            at = max(
                range(place, max(place, len(lines) - len(part)) + 1),
                key=lambda start, part=part: _likeness(lines[start : start + len(part)], part),  # type: ignore[misc]
            )
        chosen.append(lines[at : at + len(part)])
        place = at + len(part)
    return "…\n".join("".join(f"{line}\n" for line in part) for part in chosen)


def alike(one: str, other: str) -> bool:
    """Tell whether two texts are the same but for small differences of figures."""
    if re.sub(NUMBER, "#", _spaced(one)) != re.sub(NUMBER, "#", _spaced(other)):
        return False
    pairs = zip(_figures(one), _figures(other), strict=True)
    return all(abs(a - b) <= max(0.02, 1e-6 * abs(b)) for a, b in pairs)


def _spaced(text: str) -> str:
    """Take several spaces for one: a figure of another width moves its column."""
    return re.sub(r"(?<=\S) {2,}", "  ", text)


def _figures(text: str) -> list[float]:
    # Percents are shares, and what has one decimal is points of a hundred: a tenth of them differs as easily.
    return [
        float(digits.replace(",", "")) / (100 if percent else 10 if re.fullmatch(r"\d+\.\d", digits) else 1)
        for digits, percent in re.findall(rf"({NUMBER})( ?%)?", text)
        if digits.count(".") <= 1
    ]


def _untimed(output: str) -> str:
    """Cut off the milliseconds behind the size of a model, which are the machine's."""
    return re.sub(r"( kB) +[\d.]+$", r"\1", output, flags=re.MULTILINE)


def _parts(shown: str) -> list[list[str]]:
    return [part.splitlines() for part in re.split(r"^…\n", shown, flags=re.MULTILINE)]


def _likeness(some: list[str], others: list[str]) -> float:
    one, other = (re.sub(NUMBER, "#", "\n".join(lines)) for lines in (some, others))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _literal(text: str) -> object | None:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text or "null"), sort_keys=True)


@contextmanager
def _within(folder: Path, variables: dict[str, str]) -> Iterator[None]:
    """Work in a folder, with a cache there and nothing else in the environment that embedclf looks at."""
    before, environment = Path.cwd(), dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("EMBEDCLF_", "AIMLAPI_", "OPENAI_"))]:
        del os.environ[name]
    os.environ.update(variables, EMBEDCLF_CACHE_DIR=str(folder / "cache"), COLUMNS="80", NO_COLOR="1")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


def lay_out(folder: Path, every: int) -> None:
    """Put there what a reader has who follows the pages: a clone, and a few files of his own."""
    (folder / "datasets").mkdir(parents=True)
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns(".latest"))
    for path in (ROOT / "datasets").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if not path.stem.endswith("_labels"):
            rows = rows[::every]
        _write(folder / "datasets" / path.name, header, rows)
        if path.name == "support_tickets_test.csv":
            _write(folder / "unlabelled.csv", header[:1], [row[:1] for row in rows])
    _write(folder / "new.csv", ["id", "text"], [["1", "where is my parcel"], ["2", "I want my money back"]])
    for name, packed in {"datasets/support_tickets": "tickets", "new": "new"}.items():
        (folder / f"{packed}.csv.gz").write_bytes(gzip.compress((folder / f"{name}.csv").read_bytes()))
    _write(
        folder / "reviews.csv", ["review", "stars"],
        [["gut", "1"], ["schlecht", "2"], ["schön", "1"], ["übel", "2"]], delimiter=";", encoding="cp1252",
    )  # fmt: skip


def _write(
    path: Path, header: list[str], rows: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8"
) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
