"""A soak of the cache: processes that read, write, merge and prune one folder, killed at random moments and restarted.

    python benchmarks/soak.py [--seconds 60] [--processes 8]

Each process is `tests/support/cache_worker.py`: it knows the vector of every text, checks each one read, and notes
each one whose writing was acknowledged. It prunes segments of other texts, which it puts there as if they had been
written 100 days ago; every second process makes the index of keys of few segments already. At the end: no acknowledged
vector is lost, none is wrong, no file is damaged, what the kills left half written is swept by the next pruning an hour
later, the lock is free, and there are few segments and file descriptors. Exits with 1 if one of these does not hold.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout

TESTS = Path(__file__).parent.parent / "tests" / "support"
sys.path.insert(0, str(TESTS))

from cache_worker import OLD_TEXTS, SPEC, TEXTS, vectors_of  # noqa: E402
from embedclf.embedding.cache.keys import hash_texts  # noqa: E402
from embedclf.embedding.cache.vector_cache import VectorCache  # noqa: E402

MOST_SEGMENTS = 32
MOST_DESCRIPTORS = 32
WRONG = {3: "served a wrong vector", 4: "did not find what was acknowledged"}


class Workers:
    """Processes at work on one folder, each with a file in which it notes what was acknowledged."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.started = 0
        self.faults: list[str] = []
        self.running = [self.start() for _ in range(number)]

    def start(self) -> "subprocess.Popen[bytes]":
        self.started += 1
        note, log = self.folder / f"acknowledged-{self.started}", self.folder / f"log-{self.started}"
        command = [sys.executable, TESTS / "cache_worker.py", self.folder / "cache", note, str(self.started)]
        with log.open("wb") as file:
            return subprocess.Popen(command, stderr=file)

    def end(self, place: int) -> None:
        """Kill one; that it had not ended by itself, for a fault, is seen by its exit code."""
        process = self.running[place]
        process.kill()
        code = process.wait()
        if code != -signal.SIGKILL:
            self.faults.append(f"process {process.pid} {WRONG.get(code, f'ended with {code}')}")

    def descriptors(self) -> int:
        """The most that one of them has open."""
        counts = [0]
        for process in self.running:
            try:
                counts.append(len(list(Path(f"/proc/{process.pid}/fd").iterdir())))
            except OSError:  # it has ended, or there is no /proc
                continue
        return max(counts)


def soak(folder: Path, seconds: float, n_processes: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    workers = Workers(folder, n_processes)
    most_open, most_segments, n_kills = 0, 0, 0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.05, 0.6))
            most_open = max(most_open, workers.descriptors())
            most_segments = max(most_segments, len(list(folder.rglob("*.joblib"))))
            victim = rng.randrange(n_processes)
            workers.end(victim)
            n_kills += 1
            workers.running[victim] = workers.start()
    finally:
        for place in range(n_processes):
            workers.end(place)
    faults = workers.faults
    for log in folder.glob("log-*"):
        lines = log.read_text(errors="replace").splitlines()
        faults += [f"{log.name}: {line}" for line in lines if "cache:" in line or "Error" in line]

    noted = [line for note in folder.glob("acknowledged-*") for line in note.read_text().split()]
    acknowledged = sorted({int(line) for line in noted if not line.startswith("-")})
    n_pruned = sum(int(line[1:]) for line in noted if line.startswith("-"))
    cache = VectorCache(folder / "cache")
    part = cache.of_model(SPEC)
    n_segments = len(list(folder.rglob("*.joblib")))

    def check(when: str) -> int:
        numbers = list(range(len(TEXTS) + len(OLD_TEXTS)))
        found, vectors = part.read(hash_texts([f"text {number}" for number in numbers]))
        lost = [number for number in acknowledged if not found[number]]
        if lost:
            faults.append(f"{len(lost):,} acknowledged vectors are lost {when}, the first is {lost[0]}")
        wrong = 0 if vectors is None else int((vectors != vectors_of(numbers))[found].any(axis=1).sum())
        if wrong:
            faults.append(f"{wrong:,} vectors are wrong {when}")
        return int(found.sum())

    n_found = check("at the end")
    try:
        with FileLock(part.folder.path / ".merge.lock", timeout=5):
            pass
    except Timeout:
        faults.append("the lock is held by nobody who lives")
    half = list(folder.rglob("*.part"))
    for path in half:  # as they will be an hour from now
        os.utime(path, (0, 0))
    cache.prune(older_than=timedelta(days=90))
    check("after the last pruning")
    left = [path.name for ending in ("part", "damaged") for path in folder.rglob(f"*.{ending}")]
    left += [path.name for path in folder.rglob("*.used") if not path.with_suffix(".joblib").exists()]
    if left:
        faults.append(f"files are left: {', '.join(left)}")
    if most_segments > MOST_SEGMENTS + n_processes:
        faults.append(f"there were {most_segments} segments at once")
    if most_open > MOST_DESCRIPTORS:
        faults.append(f"a process had {most_open} files open")

    total = sum(one.n_bytes for one in cache.info())
    cache.prune(max_bytes=total // 2)
    size = sum(path.stat().st_size for ending in ("joblib", "used") for path in folder.rglob(f"*.{ending}"))
    if size > total // 2:
        faults.append(f"pruned to {total // 2:,} bytes, the cache has {size:,}")
    acknowledged = []
    n_half = check("after pruning to half the size")

    print(f"{seconds:g} s, {n_processes} processes, {n_kills:,} killed and restarted")
    print(f"acknowledged {len(noted):,} notes, {n_found:,} vectors there at the end; {n_pruned:,} pruned meanwhile")
    print(f"segments: {most_segments} at most, {n_segments} at the end; files open in a process: {most_open} at most")
    print(f"half-written files that the kills left: {len(half)}, all swept; pruned to half the size: {n_half:,} left")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = soak(Path(folder), args.seconds, args.processes, args.seed)
    for fault in faults:
        print(f"VIOLATED: {fault}")
    print("all held" if not faults else f"{len(faults)} violations")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
