"""predict --output on a large file: its rate against the embedder's own, its memory, and what a second core brings.

    OMP_NUM_THREADS=1 python benchmarks/scoring.py --banking77 FOLDER

The texts of Banking77 again and again, each with a number of its own, labelled by a classifier of its 77 labels, on one
core (the process is tied to one; Linux). Rate: rows a second, by the clock on the wall and by CPU time, which other
work on the machine does not change, against `WordLlama.embed` of the WordLlama library on the same rows, in the same
run, in turn; only its embedding is timed, not the reading. Of embedclf everything is timed from the call of
`predict_file` to the file in its place. Memory: the most that a process of its own had (VmHWM of Linux).

More cores: the same file as `--engine loky` with 2 processes, against one process, in turn; neither is tied to a core,
and the processes' start is in the time.
"""

import argparse
import csv
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import joblib

import embedclf
from embedclf.embedding.wordllama import _load

_ENGINES = {"one": 1, "two": 2}


def most_memory() -> float:
    """MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1_024


def run_ours(folder: Path, n: int) -> None:
    classifier = embedclf.load(folder / "m.safetensors")
    start, cpu = time.perf_counter(), time.process_time()
    done = embedclf.predict_file(classifier, folder / f"{n}.csv", folder / "out.csv")
    assert done.rows == n
    print(n / (time.perf_counter() - start), n / (time.process_time() - cpu), most_memory())


def run_engine(folder: Path, n: int, n_jobs: int) -> None:
    classifier = embedclf.load(folder / "m.safetensors")
    start = time.perf_counter()
    with joblib.parallel_config("loky", n_jobs=n_jobs):
        done = embedclf.predict_file(classifier, folder / f"{n}.csv", folder / f"out{n_jobs}.csv")
    assert done.rows == n
    print(n / (time.perf_counter() - start), 0, 0)


def run_wordllama(folder: Path, n: int) -> None:
    with (folder / f"{n}.csv").open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    library = _load(256)
    start, cpu = time.perf_counter(), time.process_time()
    library.embed(texts, norm=True)
    print(n / (time.perf_counter() - start), n / (time.process_time() - cpu), most_memory())


def in_a_process(side: str, folder: Path, n: int) -> tuple[float, float, float]:
    """Rows a second by the clock on the wall, of CPU time, and MB."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--rows", str(n)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    wall, cpu, memory = map(float, done.stdout.split())
    return wall, cpu, memory


def write(path: Path, texts: list[str], n: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((i, f"{text} {i}") for i, text in enumerate(itertools.islice(itertools.cycle(texts), n)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, help="folder of banking77_train.csv")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--many", type=int, default=2_000_000, help="rows of the larger file; 0 leaves it out")
    parser.add_argument("--side", choices=["ours", "wordllama", *_ENGINES], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side in _ENGINES:
        run_engine(args.folder, args.rows, _ENGINES[args.side])
        return
    if args.side:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        {"ours": run_ours, "wordllama": run_wordllama}[args.side](args.folder, args.rows)
        return
    if args.banking77 is None:
        parser.error("--banking77 FOLDER is needed")
    with (args.banking77 / "banking77_train.csv").open(newline="") as file:
        labelled = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        classifier = embedclf.train(*zip(*labelled, strict=True), embedder="wordllama", holdout=0, regularization=10)
        classifier.save(folder / "m.safetensors")
        texts = [text for text, _ in labelled]
        write(folder / f"{args.rows}.csv", texts, args.rows)
        theirs, ours = [], []
        for _ in range(args.runs):
            theirs.append(in_a_process("wordllama", folder, args.rows))
            ours.append(in_a_process("ours", folder, args.rows))
        print(f"{args.rows:,} rows")
        for place, clock in enumerate(("wall", "CPU")):
            shares = [one[place] / other[place] for one, other in zip(ours, theirs, strict=True)]
            one, other = (median(run[place] for run in runs) for runs in (ours, theirs))
            print(
                f"{clock}: predict_file {one:,.0f}/s, WordLlama.embed alone {other:,.0f}/s, "
                f"{100 * median(shares):.0f} % ({100 * min(shares):.0f} to {100 * max(shares):.0f}; at least 70 %)"
            )
        print(f"memory at most {max(run[2] for run in ours):.0f} MB (at most 600 MB)", flush=True)
        one, two = [], []
        for _ in range(args.runs):
            one.append(in_a_process("one", folder, args.rows)[0])
            two.append(in_a_process("two", folder, args.rows)[0])
            assert (folder / "out1.csv").read_bytes() == (folder / "out2.csv").read_bytes()
        shares = [b / a for a, b in zip(one, two, strict=True)]
        print(
            f"2 processes {median(two):,.0f}/s, one {median(one):,.0f}/s, {median(shares):.2f} × "
            f"({min(shares):.2f} to {max(shares):.2f})",
            flush=True,
        )
        if args.many:
            write(folder / f"{args.many}.csv", texts, args.many)
            rate, _, memory = in_a_process("ours", folder, args.many)
            print(
                f"{args.many:,} rows   predict_file {rate:,.0f}/s   memory at most   {memory:.0f} MB (at most 600 MB)"
            )


if __name__ == "__main__":
    main()
