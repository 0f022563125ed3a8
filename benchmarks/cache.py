"""The cache of vectors against one joblib.Memory call a text, and against np.load of one array.

    python benchmarks/cache.py

1,536 dimensions, warm. Opening the cache and hashing the texts are included; every side runs in a process of its own,
in turn, and the median of the ratios is what counts. joblib.Memory is measured on at most 5,000 texts, and its rate is
taken for the rest: it is the same for each. Needs 3 GB of disk for a while.

    python benchmarks/cache.py --opening

How long a fresh process takes to open a cache of 1,000,000 vectors and read one. Only the keys matter, so the vectors
have 96 dimensions and segments are merged at a 16th of the size, which leaves the files that 1,536 dimensions would
leave. Cold means that the system's cache has forgotten the files. Needs 500 MB of disk for a while.

    python benchmarks/cache.py --checksums

How much of the time of reading 100,000 vectors goes into their checksums: read in one process with and without, in
turn, at full length and shortened. Hashing the texts is included; the time is the processor's, the least of all runs.
Needs 700 MB of disk for a while.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import joblib
import numpy as np

from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache import merging, segments
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.vector_cache import VectorCache

SPEC = EmbedderSpec("aimlapi", "text-embedding-3-small", 1536, "https://api.aimlapi.com/v1")
MEMORY_TEXTS = 5_000
MANY = 1_000_000
NARROW_SPEC = EmbedderSpec("aimlapi", "narrow", 96, "https://api.aimlapi.com/v1")
NARROWER = 16


def texts(n: int) -> list[str]:
    return [f"this is text number {number} of those that are in the cache" for number in range(n)]


def vectors(n: int) -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(n, 1536)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def embed_one(text: str) -> np.ndarray:
    return np.full(1536, len(text), dtype=np.float32)


def fill(folder: Path, n: int, size: int) -> None:
    part = VectorCache(folder / "cache").of_model(SPEC)
    keys, made = hash_texts(texts(n)), vectors(n)
    for start in range(0, n, size):
        part.write(keys[start : start + size], made[start : start + size], size)


def read(kind: str, folder: Path, n: int) -> float:
    """Seconds that one side takes; run in a process of its own."""
    wanted = texts(n)
    if kind == "memory":
        remembered = joblib.Memory(folder / "memory", verbose=0).cache(embed_one)
        start = time.perf_counter()
        np.stack([remembered(text) for text in wanted])
    elif kind == "load":
        start = time.perf_counter()
        np.load(folder / "array.npy")
    else:
        start = time.perf_counter()
        found, _ = VectorCache(folder / kind / "cache").of_model(SPEC).read(hash_texts(wanted))
        assert found.all()
    return time.perf_counter() - start


def timed(kind: str, folder: Path, n: int) -> float:
    command = [sys.executable, __file__, "--read", kind, "--folder", str(folder), "--texts", str(n)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(folder: Path, n: int, runs: int) -> None:
    fill(folder / str(n), n, 512)
    np.save(folder / "array.npy", vectors(n))
    remembered = joblib.Memory(folder / "memory", verbose=0).cache(embed_one)
    for text in texts(min(n, MEMORY_TEXTS)):
        remembered(text)
    on_disk = sum(path.stat().st_size for path in (folder / str(n)).rglob("*") if path.is_file())
    ours, memory, load = [], [], []
    for _ in range(runs + 1):
        ours.append(timed(str(n), folder, n))
        load.append(timed("load", folder, n))
        memory.append(timed("memory", folder, min(n, MEMORY_TEXTS)) * n / min(n, MEMORY_TEXTS))
    ours, memory, load = ours[1:], memory[1:], load[1:]  # the first warms the page cache
    faster = median(m / o for m, o in zip(memory, ours, strict=True))
    slower = median(o / a for o, a in zip(ours, load, strict=True))
    print(f"{n:,} vectors: {n / median(ours):,.0f} a second")
    print(f"  faster than joblib.Memory a text   {faster:6.1f} × (at least 40)")
    print(f"  slower than np.load of one array   {slower:6.2f} × (at most 5)")
    print(f"  bytes on disk per raw byte         {on_disk / (n * 1536 * 4):6.3f} (at most 1.05)", flush=True)


def one_at_a_time(folder: Path, runs: int) -> None:
    fill(folder / "single", 1_000, 1)
    fill(folder / "once", 1_000, 1_000)
    ratios = []
    for _ in range(runs + 1):
        ratios.append(timed("single", folder, 1_000) / timed("once", folder, 1_000))
    files = len(list((folder / "single").rglob("*.joblib")))
    print(f"1,000 vectors written one at a time: {files} files, read in {median(ratios[1:]):.2f} × the time of 1,000")
    print("written at once (at most 2 ×)")


def fill_many(folder: Path, size: int) -> None:
    """Write many vectors as a client does, in batches."""
    before = merging.SMALL_BYTES, merging.TINY_BYTES
    merging.SMALL_BYTES, merging.TINY_BYTES = (n_bytes // NARROWER for n_bytes in before)
    part = VectorCache(folder).of_model(NARROW_SPEC)
    made = np.random.default_rng(0).normal(size=(size, 96)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    for start in range(0, MANY, size):
        keys = hash_texts([f"text {number}" for number in range(start, min(start + size, MANY))])
        part.write(keys, made[: len(keys)], len(keys))
    merging.SMALL_BYTES, merging.TINY_BYTES = before


def open_one(folder: Path, number: int) -> float:
    """Seconds until one vector is there; run in a process of its own."""
    start = time.perf_counter()
    found, _ = VectorCache(folder).of_model(NARROW_SPEC).read(hash_texts([f"text {number}"]))
    assert found.all()
    return time.perf_counter() - start


def forget(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def opening(runs: int) -> None:
    print(f"opening a cache of {MANY:,} vectors until one of them is there, in a fresh process, median of {runs}")
    for size in (100, 512, 683):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            fill_many(folder, size)
            n_segments = len(list(folder.rglob("*.joblib")))
            times: dict[str, list[float]] = {"warm": [], "cold": [], "no index, cold": []}
            for run in range(runs):
                for kind, seconds in times.items():
                    if kind.startswith("no index"):
                        for path in folder.rglob("keys.index"):
                            path.unlink()
                    if kind.endswith("cold"):
                        forget(folder)
                    command = [sys.executable, __file__, "--open", str(run * 37_003), "--folder", name]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    seconds.append(float(done.stdout))
            shown = ", ".join(f"{kind} {median(seconds):.2f} s" for kind, seconds in times.items())
            print(f"  written in batches of {size}: {n_segments:,} segments: {shown} (at most 1 s)", flush=True)


def checksums(runs: int) -> None:
    n, wanted, intact = 100_000, texts(100_000), segments.Segment._intact
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), n, 512)
        for length in (None, 512, 256):
            seconds: dict[bool, list[float]] = {True: [], False: []}
            for _ in range(runs + 1):
                for checked in seconds:
                    segments.Segment._intact = intact if checked else lambda *of: np.ones(len(of[3]), dtype=bool)
                    part = VectorCache(Path(name) / "cache").of_model(SPEC)
                    start = time.process_time()
                    part.read(hash_texts(wanted), length)
                    seconds[checked].append(time.process_time() - start)
            with_them, without = (min(seconds[checked][1:]) for checked in (True, False))
            share = 1 - without / with_them
            rate = f"{n / with_them:,.0f} vectors a second"
            print(f"{length or 1536:5} of 1,536 columns, {rate}: {share:.1%} of the time", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--opening", action="store_true", help="Only how long opening takes.")
    parser.add_argument("--checksums", action="store_true", help="Only what checksums take of reading.")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--open", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(read(args.read, args.folder, args.texts))
        return
    if args.open is not None:
        print(open_one(args.folder, args.open))
        return
    if args.opening:
        opening(args.runs)
        return
    if args.checksums:
        checksums(args.runs)
        return
    for n in (13_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), n, args.runs)
    with tempfile.TemporaryDirectory() as folder:
        one_at_a_time(Path(folder), args.runs)


if __name__ == "__main__":
    main()
