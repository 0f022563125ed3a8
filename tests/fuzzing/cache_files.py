"""Damaged and planted files in a cache: never a crash, a hang, or a wrong vector.

    python -m fuzzing.cache_files N [SEED]        (from tests/)

Three kinds in turn. *Programs*: random pickles and damaged segments are read; each is either a segment or refused, and
takes no more memory than its size. *Caches*: a cache is damaged and read; every vector that is found must be the right
one, to the bit. *Notes*: what stands beside the segments (``model.json``, times, index, ledger) is damaged or replaced,
and every ``embedclf cache`` command is run; none may raise, and no vector may be lost.
"""

import contextlib
import json
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from embedclf.cli import main as embedclf_command
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.segment_layout import NewerFormatError, SegmentError
from embedclf.embedding.cache.segments import read_segment
from embedclf.embedding.cache.vector_cache import VectorCache
from embedclf.embedding.usage import Usage
from fuzzing.damage import damaged

_SECONDS = 60
_PLANTED = [
    b"\x80\x04\x96\x00\x00\x00\x00\x02\x00\x00\x00.",  # BYTEARRAY8 of 8 GB
    b"\x80\x04\x8d\x00\x00\x00\x00\x02\x00\x00\x00.",  # BINUNICODE8 of 8 GB
    b"\x80\x04" + b"(" * 5_000 + b"t" * 5_000 + b".",
    b"",
    b"\x80",
]


def spec_of(n_columns: int) -> EmbedderSpec:
    return EmbedderSpec("aimlapi", "text-embedding-3-small", n_columns, "https://api.aimlapi.com/v1")


def vectors_of(n_rows: int, n_columns: int, numbers: np.random.Generator) -> np.ndarray:
    vectors = numbers.normal(size=(n_rows, n_columns)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """End what hangs."""

    def late(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def random_program(rng: random.Random) -> bytes:
    """A pickle that names what a segment names, with its opcodes in any order."""
    pieces = [
        b"\x8c\x13joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93\x94",
        b"\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94",
        b"\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94",
        b"\x8c\x02O8\x94\x89\x88\x87\x94R\x94",
        b"(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b",
        *(bytes([opcode]) for opcode in b")}](tbRue.0123\x81\x94NK\x88\x89\x86\x87"),
        b"K\x01", b"h\x00", b"h\x05", b"J\xff\xff\xff\xff", b"\x8c\x08embedclf\x94", b"\x8c\x04keys\x94",
        b"\x8c\x05shape", b"\x8c\x05dtype", b"\x8c\x08subclass", b"AAAAAAAA",
    ]  # fmt: skip
    return b"\x80\x04" + b"".join(rng.choices(pieces, k=rng.randint(1, 60))) + rng.choice([b".", b""])


def programs(n: int, rng: random.Random, folder: Path, outcomes: Counter[str]) -> None:
    """Read so many files that are hardly segments."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    part = VectorCache(folder).of_model(spec_of(16))
    part.write(hash_texts(["a", "b", "c"]), vectors_of(3, 16, numbers), 3)
    good = next(folder.glob("vectors/*/*.joblib"))
    whole = good.read_bytes()
    path = folder / "program.joblib"
    tracemalloc.start()
    for number in range(n):
        kind = rng.randrange(3)
        data = damaged(whole, rng) if kind == 0 else random_program(rng) if kind == 1 else rng.choice(_PLANTED)
        if kind == 1 and rng.random() < 0.5:
            data = whole[: rng.randrange(len(whole))] + data
        path.write_bytes(data)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            with contextlib.suppress(SegmentError, NewerFormatError):
                read_segment(path)
            outcomes["programs"] += 1
        except Exception as error:
            outcomes[f"lost: {type(error).__name__}"] += 1
        if tracemalloc.get_traced_memory()[1] - before > len(data) + 2**17:
            outcomes["lost: memory"] += 1
        if number % 50 == 0:  # and as a cache meets it: set aside once, beside what is good
            shutil.copy(path, good.with_name("0.joblib"))
            fresh = VectorCache(folder).of_model(spec_of(16))
            if not fresh.read(hash_texts(["a", "b", "c"]))[0].all():
                outcomes["lost: a good segment"] += 1
            for aside in good.parent.glob("0.joblib*"):
                aside.unlink()
    tracemalloc.stop()


def caches(n: int, rng: random.Random, folder: Path, outcomes: Counter[str]) -> None:
    """Damage so many caches, and read them."""
    while n > 0:
        numbers = np.random.default_rng(rng.randrange(2**32))
        n_columns = rng.choice([48, 300, 1_536])
        texts = [f"text {number}" for number in range(rng.choice([3, 40]))]
        keys, vectors = hash_texts(texts), vectors_of(len(texts), n_columns, numbers)
        shutil.rmtree(folder, ignore_errors=True)
        part = VectorCache(folder).of_model(spec_of(n_columns))
        half = len(texts) // 2
        part.write(keys[:half], vectors[:half], 1)
        part.write(keys[half:], vectors[half:], 1)
        files = sorted(folder.glob("vectors/*/*.joblib"))
        contents = [path.read_bytes() for path in files]
        row = n_columns * 4
        for _ in range(20):
            n -= 1
            for aside in folder.glob("vectors/*/*"):
                aside.unlink()
            for path, content in zip(files, contents, strict=True):
                path.write_bytes(content)
            chosen = rng.randrange(len(files))
            whole = contents[chosen]
            kind = rng.randrange(4)
            if kind == 0:  # within a vector
                place = whole.index(vectors[0 if chosen == 0 else half].tobytes())
                data = whole[:place] + damaged(whole[place : place + row], rng)[:row] + whole[place + row :]
            elif kind == 1:  # rows in each other's place
                first, second = (whole.index(vectors[index].tobytes()) for index in
                                 rng.sample(range(half) if chosen == 0 else range(half, len(texts)), 2)) \
                    if (half if chosen == 0 else len(texts) - half) > 1 else (0, 0)  # fmt: skip
                swapped = bytearray(whole)
                swapped[first : first + row] = whole[second : second + row]
                swapped[second : second + row] = whole[first : first + row]
                data = bytes(swapped)
            else:
                data = damaged(whole, rng)
            files[chosen].write_bytes(data)
            n_read = rng.choice([None, None, 32, 256, n_columns - 1])
            try:
                found, read = VectorCache(folder).of_model(spec_of(n_columns)).read(keys, n_read)
            except Exception as error:
                outcomes[f"lost: {type(error).__name__}"] += 1
                continue
            wrong = read is not None and not (read[found] == vectors[found, : read.shape[1]]).all()
            outcomes["lost: a wrong vector" if wrong else "caches"] += 1


def _deep(_: bytes, rng: random.Random) -> bytes:
    return b"[" * rng.choice([1_000, 100_000]) + b"]" * 1_000


def _odd_json(whole: bytes, rng: random.Random) -> bytes:
    odd = [None, 10**400, -1, 1e308, [], {}, "\x1b[31m", "\ud800", True, "x" * 100_000, float("nan")]
    content = json.loads(whole.splitlines()[0])
    for name in rng.sample(sorted(content), rng.randint(1, len(content))):
        content[name] = rng.choice(odd)
    return json.dumps(content).encode() + b"\n"


def notes(n: int, rng: random.Random, folder: Path, outcomes: Counter[str]) -> None:
    """Damage or replace what stands beside the segments, and run the commands."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    keys = hash_texts([f"text {number}" for number in range(70)])
    vectors = vectors_of(70, 16, numbers)
    kept = folder.with_name("kept")
    shutil.rmtree(kept, ignore_errors=True)
    cache = VectorCache(kept)
    part = cache.of_model(spec_of(16))
    part.write(keys, vectors, 70)
    segment = next(kept.glob("vectors/*/*.joblib"))
    cache.ledger.add(spec_of(16), Usage(texts=70, requests=1, tokens=70))
    part.store.write_index()
    segment.with_suffix(".used").write_bytes(np.full(70, 1_000_000_000, dtype="<u4").tobytes())
    names = ["model.json", segment.with_suffix(".used").name, "keys.index", "../../ledger.jsonl"]
    change: dict[str, Callable[[bytes, random.Random], bytes]] = {"damaged": damaged, "deep": _deep, "odd": _odd_json}
    for _ in range(n):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)
        here = next(folder.glob("vectors/*/*.joblib"))
        if rng.random() < 0.2:
            os.utime(here, (-1e9, -1e9) if rng.random() < 0.5 else (1e10, 1e10))
        path = here.parent / rng.choice(names)
        kind = rng.choice(["damaged", "damaged", "deep", "odd", "pipe", "folder", "link", "gone"])
        if kind == "odd" and path.suffix not in (".json", ".jsonl"):
            kind = "damaged"
        data = path.read_bytes()
        path.unlink()
        if kind in change:
            path.write_bytes(change[kind](data, rng))
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(rng.choice(["/dev/zero", "nowhere", "/etc/passwd"]))
        try:
            with limited():
                _use(folder, keys, vectors, rng)
            outcomes["notes"] += 1
        except Exception as error:
            outcomes[f"lost: {kind} {path.name}: {type(error).__name__}: {error}"] += 1


def _use(folder: Path, keys: np.ndarray, vectors: np.ndarray, rng: random.Random) -> None:
    run = CliRunner(catch_exceptions=False)
    for args in (["info"], ["prune", "--older-than", "90000d", "--yes"]):
        done = run.invoke(embedclf_command, ["cache", *args, "--cache-dir", str(folder)])
        assert done.exit_code == 0, done.output
        assert done.stderr.count("Warning") <= 1, done.stderr
    logging.getLogger("embedclf").setLevel(logging.ERROR)  # which the command had changed
    for spec in (spec_of(16), spec_of(None)):  # type: ignore[arg-type]
        part = VectorCache(folder).of_model(spec)
        found, read = part.read(keys)
        assert found.all()
        assert read is not None
        assert (read == vectors).all()
        assert part.dimensions == 16
    VectorCache(folder).ledger.add(spec_of(16), Usage(texts=1))
    VectorCache(folder).to_prune(timedelta(days=1))
    assert run.invoke(embedclf_command, ["cache", "clear", "--yes", "--cache-dir", str(folder)]).exit_code == 0
    assert VectorCache(folder).is_empty
    assert not list(folder.glob("vectors/*/*.joblib"))


def main(n: int, seed: int = 0) -> Counter[str]:
    """Try so many, in all; returns how many of each kind were survived, and what was lost."""
    logging.getLogger("embedclf").setLevel(logging.ERROR)
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        programs(n * 3 // 4, rng, Path(folder) / "programs", outcomes)
        caches(n // 5, rng, Path(folder) / "caches", outcomes)
        notes(n // 20, rng, Path(folder) / "notes", outcomes)
    return outcomes


if __name__ == "__main__":
    print(dict(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
