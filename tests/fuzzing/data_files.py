"""Random and damaged files of texts through the command line: each is used, or refused with an error of ours.

    cd tests
    python -m fuzzing.data_files [N] [SEED]

A case is lost if something else is raised, if a control character reaches the screen, or if an output that was
written cannot be read again with as many rows. Case K of a seed is the same in every run, whatever N is.
"""

import csv
import functools
import io
import json
import os
import re
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from click.testing import CliRunner

from embedclf.cli import main as embedclf_main
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from embedclf.embedding import wordllama

MODEL = Path(__file__).parents[2] / "models" / "example.safetensors"
KINDS = ["csv", "tsv", "jsonl", "parquet"]
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp1252", "shift_jis", "iso2022_jp"]
DELIMITERS = [",", ";", "\\t", "|", " ", "x", "'", "é"]
TOKENS = [
    b'"', b'""', b"\r", b"\n", b"\r\n", b"\0", b",", b";", b"\t", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\x1b[31m", b"\xc2\x9b2J", b"\xe2\x80\xae", b"\x1a", b"\xe2\x80\xa8",
    b"{", b"}", b"[", b"]", b"null", b"NaN", b"1e999", b"-Infinity", b"9" * 5_000, b"[" * 900, b'{"a":' * 990,
    b"text", b"label", b"text,label\n", b"sep=;\n", b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b" ",
    b"\xc2\xa0", b"\x1c", b"\x85",
]  # fmt: skip
DEEP = '"<deep>"'
VALUES = [
    "",
    " ",
    "my parcel",
    "refund",
    "0",
    "a\rb",
    'say "no"',
    "x,y;z",
    "\0",
    "\x1b[2J",
    "\u202eevil",
    "\ufeff",
    "é",
    "😀",
]


class Loss(NamedTuple):
    """A case that was lost: its number, its arguments, and why."""

    case: int
    args: list[str]
    reason: str


def main(n: int, seed: int = 0, say: Callable[[str], object] = lambda _: None) -> list[Loss]:
    """Try `n` cases in a folder of their own; gives the lost ones."""
    before, load = Path.cwd(), wordllama._load
    losses = []
    wordllama._load = functools.cache(load)  # which takes ten times as long as a case
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for case in range(n):
                if (loss := attempt(case, Random(f"{seed} {case}"))) is not None:
                    losses.append(loss)
                    say(f"lost: case {loss.case}, {' '.join(loss.args)}: {loss.reason}")
                if case % 1_000 == 999:
                    say(f"{case + 1:,} tried, {len(losses):,} lost")
                for path in Path().iterdir():
                    path.unlink()
        finally:
            os.chdir(before)
            wordllama._load = load
    return losses


def attempt(case: int, random: Random) -> Loss | None:
    """Try one case."""
    kind = random.choice(KINDS)
    encoding = random.choice(ENCODINGS)
    source, output = Path(f"in.{kind}"), Path(f"out.{random.choice(KINDS)}")
    source.write_bytes(content(kind, encoding, random))
    args = arguments(source, output, random)
    if random.random() < 0.8:
        args += ["--encoding", encoding]
    delimiter = None
    if random.random() < 0.2:
        delimiter = random.choice(DELIMITERS)
        args += ["--delimiter", delimiter]
    result = CliRunner().invoke(embedclf_main, args)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return Loss(case, args, f"{type(result.exception).__name__}: {str(result.exception)[:300]}")
    # JSON is for programs.
    screen = result.stderr if "--json" in args else result.output
    if shown := {character for character in screen if is_command(character)}:
        return Loss(case, args, f"on the screen: {shown}")
    written = re.search(rf"^Wrote ([\d,]+) rows? to {re.escape(str(output))}", result.stderr, re.MULTILINE)
    if written is not None:
        n_rows = int(written[1].replace(",", ""))
        if reason := not_read(output, n_rows, delimiter, args):
            return Loss(case, args, reason)
    return None


def not_read(output: Path, n_rows: int, delimiter: str | None, args: list[str]) -> str | None:
    """Say why an output cannot be read again, if it cannot."""
    if not n_rows and ".jsonl" in " ".join(args):  # JSON lines without a record have no columns
        return None
    column = "predicted_label" if args[0] == "predict" else "kind" if "--text-column" in args else "text"
    if output.suffix != ".csv":
        delimiter = None
    elif delimiter == "\\t":
        delimiter = "\t"
    try:
        with CorpusReader(output, Reading(text_column=column, labels="none", delimiter=delimiter)) as reader:
            n_read = sum(1 for _ in reader)
    except Exception as error:
        return f"written, but not read again: {type(error).__name__}: {error}"
    return None if n_read == n_rows else f"written with {n_rows} rows, but read again with {n_read}"


def arguments(source: Path, output: Path, random: Random) -> list[str]:
    """Choose a command."""
    command = random.choice(["check", "fix", "predict", "predict", "screen"])
    if command == "predict":
        args = ["predict", "-m", str(MODEL), "--input", str(source), "--output", str(output)]
        args += random.choice([[], [], ["--top-k", "3"], ["--resume"]])
    elif command == "screen":
        args = ["predict", "-m", str(MODEL), "--input", str(source), *random.choice([[], ["--json"]])]
    else:
        args = ["check", str(source), *(["--fix", str(output)] if command == "fix" else ["--dry-run"])]
        args += random.choice([[], ["--skip-bad-rows"], ["--json"], ["--label-column", "kind"]])
        args += ["--embedder", "wordllama"]
    return [*args, *random.choice([[], [], [], ["--text-column", "kind"]])]


def is_command(character: str) -> bool:
    """Tell whether a terminal takes it for a command."""
    return character not in "\n\t" and (
        unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in BIDIRECTIONAL
    )


BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def content(kind: str, encoding: str, random: Random) -> bytes:
    """Make a file: a sound one, a damaged one, or any bytes."""
    if random.random() < 0.05:
        return random.choice([b"", b"PAR1"]) + random.randbytes(random.randrange(300))
    made = parquet(random) if kind == "parquet" else text(kind, random).encode(encoding, "ignore")
    for _ in range(random.choice([0, 1, 1, 2, 5, 20])):
        made = damaged(made, random)
    return made


def damaged(data: bytes, random: Random) -> bytes:
    """Change something."""
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice([0, 1, 1, 2, 8, 100]))
    how = random.randrange(5)
    if how == 0:  # flip a bit
        return (
            data[:start]
            + bytes(byte ^ 1 << random.randrange(8) for byte in data[start : start + 1])
            + data[start + 1 :]
        )
    if how == 1:
        return data[:start] + random.choice(TOKENS) + data[end:]
    if how == 2:
        return data[:start] + data[start:end] * random.choice([0, 2, 50]) + data[end:]
    if how == 3:
        return data[:start] + random.randbytes(end - start) + data[end:]
    return data[:start] if random.random() < 0.3 else data[:start] + random.choice(TOKENS) + data[start:]


def text(kind: str, random: Random) -> str:
    """Make a sound table or JSON lines."""
    names = ["text", "label", "kind", *random.sample([*VALUES, "text", "error"], random.randrange(3))]
    random.shuffle(names)
    rows = [[random.choice(VALUES) for _ in names] for _ in range(random.randrange(8))]
    if kind == "jsonl":
        ascii_only = random.random() < 0.5
        records = [
            {name: value if random.random() < 0.8 else anything(random) for name, value in zip(names, row, strict=True)}
            for row in rows
        ]
        return "".join(
            json.dumps(record, ensure_ascii=ascii_only).replace(DEEP, nested(random)) + "\n" for record in records
        )
    file = io.StringIO()
    delimiter = "\t" if kind == "tsv" else random.choice(",,,;|")
    csv.writer(file, delimiter=delimiter, quoting=random.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])).writerows(
        [names, *rows]
    )
    return file.getvalue()


def nested(random: Random) -> str:
    """Write a value that is nested, about as deeply as Python can read."""
    depth, (start, end) = random.choice([3, 200, *range(850, 1_000, 5)]), random.choice([("[", "]"), ('{"a":', "}")])
    return start * depth + "1" + end * depth


def anything(random: Random, depth: int = 0) -> Any:
    """Make a JSON value."""
    choice = random.randrange(9 if depth < 3 else 6)
    if choice < 6:
        return [None, True, random.getrandbits(random.choice([1, 70])), 1e-300, float("nan"), random.choice(VALUES)][
            choice
        ]
    if choice == 6:
        return DEEP[1:-1]
    inner = [anything(random, depth + 1) for _ in range(random.randrange(4))]
    return inner if choice == 7 else {random.choice(VALUES): value for value in inner}


def parquet(random: Random) -> bytes:
    """Make a sound Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = random.choice([0, 1, 5, 50])
    makers: list[Callable[[], Any]] = [
        lambda: pa.array([random.choice(VALUES) for _ in range(n)]),
        lambda: pa.array([random.choice([*VALUES, None]) for _ in range(n)], pa.string()).dictionary_encode(),
        lambda: pa.array([random.choice([random.getrandbits(40), None]) for _ in range(n)], pa.int64()),
        lambda: pa.array([random.choice([random.random(), float("inf")]) for _ in range(n)]),
        lambda: pa.array([random.getrandbits(62) for _ in range(n)], pa.timestamp(random.choice(["ms", "us", "ns"]))),
        lambda: pa.array([random.getrandbits(62) for _ in range(n)], pa.duration(random.choice(["s", "ns"]))),
        lambda: pa.array([random.getrandbits(20) for _ in range(n)], pa.date32()),
        lambda: pa.array([random.randbytes(3) for _ in range(n)], pa.binary()),
        lambda: pa.array([[random.getrandbits(40)] * random.randrange(3) for _ in range(n)], pa.list_(pa.int64())),
        lambda: pa.array([{"a": random.choice(VALUES), "b": 1.5} for _ in range(n)]),
        lambda: pa.array([None] * n, pa.null()),
    ]
    names = ["text", "label", "kind", *random.sample(VALUES, random.randrange(3))]
    columns = [makers[0](), *(random.choice(makers)() for _ in names[1:])]
    file = io.BytesIO()
    compression = random.choice(["none", "snappy", "zstd"])
    pq.write_table(pa.table(columns, names=names), file, compression=compression, row_group_size=max(1, n // 2))
    return file.getvalue()


if __name__ == "__main__":
    wanted, seed = [*map(int, sys.argv[1:]), *[1_000, 0][len(sys.argv) - 1 :]]
    lost = main(wanted, seed, say=lambda line: sys.stdout.write(f"{line}\n"))
    sys.stdout.write(f"{wanted:,} tried, {wanted - len(lost):,} survived, {len(lost):,} lost\n")
    sys.exit(bool(lost))
