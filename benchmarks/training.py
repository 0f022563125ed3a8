"""What training costs, and how exact its solver is, against their limits.

    python benchmarks/training.py --banking77 FOLDER

FOLDER holds banking77_train.csv with the columns text and label (Casanueva et al., "Efficient Intent Detection with
Dual Sentence Encoders", 2020; 10,003 rows). All vectors are WordLlama's. `--only` runs one of the parts. What is
compared is run in turn and as CPU time on one thread, except where other programs keep the cores busy: that needs a
machine that is quiet otherwise.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.features.vocabulary import count_ngrams

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# Trains on what a folder holds; prints seconds by the clock, CPU seconds, and the memory at most.
TRAIN = """
import json, resource, sys, time
import numpy as np
import embedclf
folder, features = sys.argv[1:]
texts, labels = json.load(open(f"{folder}/rows.json"))
vectors = np.load(f"{folder}/vectors.npy")
wall, cpu = time.perf_counter(), time.process_time()
card = embedclf.train(texts, labels, vectors=vectors, embedder="wordllama", features=features).card
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
print(json.dumps([wall, cpu, peak, card.regularization, card.word_scale]))
"""


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def environment(threads: int | None) -> dict[str, str]:
    """Return the environment of a process with so many threads; None leaves them to the libraries."""
    kept = {name: value for name, value in os.environ.items() if name not in THREADS}
    return kept if threads is None else kept | dict.fromkeys(THREADS, str(threads))


def verdict(figure: float, limit: float, unit: str) -> str:
    return f"(limit {limit:g} {unit}{'' if figure <= limit else ', MISSED'})"


# One fit.


def one_fit(texts: list[str], labels: list[str], vectors: np.ndarray, runs: int) -> None:
    from sklearn.linear_model import LogisticRegression

    sides: dict[str, Callable[[], object]] = {
        "fit": lambda: LogisticRegression(C=10).fit(vectors, labels),
        "embedding": lambda: embedclf.train(texts, labels, vectors=vectors, embedder="wordllama", features="embedding"),
        "auto": lambda: embedclf.train(texts, labels, vectors=vectors, embedder="wordllama"),
    }
    with threadpool_limits(1):
        for work in sides.values():
            work()
        taken = [{side: cpu_seconds(work) for side, work in sides.items()} for _ in range(runs)]
    fit = median(one["fit"] for one in taken)
    for side, limit in (("embedding", 2.0), ("auto", 6.0)):
        ratios = [one[side] / one["fit"] for one in taken]
        print(
            f"train on Banking77, features={side!r}: {median(one[side] for one in taken):.2f} s of CPU, one "
            f"LogisticRegression(C=10).fit: {fit:.2f} s; {median(ratios):.2f} × ({min(ratios):.2f} to "
            f"{max(ratios):.2f}) {verdict(median(ratios), limit, '×')}",
            flush=True,
        )


# Many rows.


def more_rows(texts: Sequence[str], labels: Sequence[str], n: int) -> tuple[list[str], list[str]]:
    """Draw rows, leave out a tenth of their words, put others for another tenth, until so many differ."""
    rng = np.random.default_rng(0)
    every = np.array([word for text in texts for word in text.split()])
    made: dict[str, str] = {}
    while len(made) < n:
        row = int(rng.integers(len(texts)))
        words = np.array(texts[row].split(), dtype=object)
        chance = rng.random(len(words))
        changed = chance < 0.1
        words[changed] = rng.choice(every, int(changed.sum()))
        text = " ".join(words[chance < 0.9])
        if text:
            made.setdefault(text, labels[row])
    return list(made), list(made.values())


def trained_apart(folder: Path, features: str, threads: int | None) -> list[float]:
    command = [sys.executable, "-c", TRAIN, str(folder), features]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment(threads))
    return json.loads(done.stdout)


def many_rows(texts: list[str], labels: list[str]) -> None:
    embedder = embedclf.open_embedder("wordllama")
    for n, threads, limits in (
        (50_000, 1, {"embedding": 60, "auto": 120}),
        (100_000, None, {"embedding": 60, "auto": 300}),
    ):
        made, of_made = more_rows(texts, labels, n)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "rows.json").write_text(json.dumps([made, of_made]))
            np.save(folder / "vectors.npy", embedder.embed(made))
            for features, limit in limits.items():
                wall, cpu, peak, C, scale = trained_apart(folder, features, threads)
                cores = "on one core" if threads == 1 else f"on {os.cpu_count()} cores"
                seconds = cpu if threads == 1 else wall
                memory = verdict(peak, 3 * 1024, "MB") if n == 100_000 and features == "embedding" else ""
                print(
                    f"{n:,} rows {cores}, features={features!r}: {wall:.1f} s ({cpu:.1f} s of CPU) "
                    f"{verdict(seconds, limit, 's')}, {peak:,.0f} MB at most {memory}; C = {C:g}, words {scale:g} ×",
                    flush=True,
                )


# Busy cores.


@contextmanager
def busy_cores():
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def seconds_of(command: list[str]) -> tuple[float, float]:
    """Run a command; returns seconds by the clock, and CPU seconds of it and its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(None))
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def busy(file: Path, folder: Path, runs: int) -> None:
    few = folder / "few.csv"
    few.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:2_001]), encoding="utf-8")
    embedder = ["--embedder", "wordllama"]
    commands = {
        "train": [str(file), *embedder, "--output", str(folder / "model.safetensors")],
        "cross-validate": [str(file), *embedder],
        "check": [str(file), *embedder],
        "map": [str(few), *embedder, "--output", str(folder / "map.html")],
    }
    for name, arguments in commands.items():
        command = [sys.executable, "-m", "embedclf", name, *arguments]
        pairs = []
        for _ in range(runs):
            quiet = seconds_of(command)
            with busy_cores():
                pairs.append((quiet, seconds_of(command)))
        by_clock, by_cpu = (median(loaded[i] / quiet[i] for quiet, loaded in pairs) for i in (0, 1))
        print(
            f"{name}, all cores busy: "
            + ", ".join(f"{loaded[0]:.1f} s against {quiet[0]:.1f} s" for quiet, loaded in pairs)
            + f"; {by_clock:.2f} × {verdict(by_clock, 3, '×')}; CPU time {by_cpu:.2f} ×, "
            f"{median(loaded[1] for _, loaded in pairs):.1f} s",
            flush=True,
        )


# The solver.


def exactness(labels: list[str], vectors: np.ndarray) -> None:
    from sklearn.linear_model import LogisticRegression

    from embedclf.classifier.linear import softmax
    from embedclf.training.solver import Design

    y = np.unique(labels, return_inverse=True)[1]
    exact = LogisticRegression(C=10, solver="newton-cg", tol=1e-10, max_iter=10_000)
    theirs = exact.fit(vectors.astype(np.float64), y).predict_proba(vectors.astype(np.float64))
    ours = softmax(Design(vectors).fit(y, 10.0).scores(vectors).astype(np.float32))
    worst = float(np.abs(ours - theirs).max())
    print(
        f"a single probability on Banking77, C = 10, against newton-cg: {worst:.1e} at most {verdict(worst, 1e-3, '')}",
        flush=True,
    )


def random_rows(n: int, n_dimensions: int, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Make unit vectors around a centre for each label."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_labels
    centres = rng.standard_normal((n_labels, n_dimensions), dtype=np.float32)
    vectors = centres[y] + 2 * rng.standard_normal((n, n_dimensions), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), y


def shapes() -> None:
    from embedclf.training.solver import Design

    for n, n_dimensions, n_labels in ((2_000, 3_072, 20), (5_000, 3_072, 20), (5_000, 256, 1_000)):
        vectors, y = random_rows(n, n_dimensions, n_labels)
        with threadpool_limits(1):
            start = time.process_time()
            design = Design(vectors)
            middle = time.process_time()
            fit = design.fit(y, 10.0)
            end = time.process_time()
        print(
            f"{n:,} rows, {n_dimensions:,} dimensions, {n_labels:,} labels, one fit: {end - start:.1f} s of CPU (the "
            f"rows {middle - start:.1f} s, the fit {end - middle:.1f} s){'' if fit.converged else '; NOT CONVERGED'}",
            flush=True,
        )


def solver(labels: list[str], vectors: np.ndarray) -> None:
    exactness(labels, vectors)
    shapes()


# Words.


def words(texts: list[str], labels: list[str], vectors: np.ndarray, folder: Path) -> None:
    long = " ".join(texts)
    lines = [long[start : start + 60] for start in range(0, len(long) - 60, 60)]
    count_ngrams(lines)
    speeds = []
    for _ in range(5):
        start = time.process_time()
        count_ngrams(lines)
        speeds.append(len(lines) / (time.process_time() - start))
    print(f"texts of 60 characters, n-grams counted: {median(speeds):,.0f} texts a second (at least 20,000)")
    for features in ("embedding", "auto"):
        classifier = embedclf.train(texts, labels, vectors=vectors, embedder="wordllama", features=features)
        path = folder / f"{features}.safetensors"
        classifier.save(path)
        loaded = embedclf.load(path)
        loaded.predict(texts[:100])
        one = cpu_seconds(lambda loaded=loaded: [loaded.predict([text]) for text in texts[:1_000]])
        many = cpu_seconds(lambda loaded=loaded: loaded.predict(texts))
        size = path.stat().st_size / 1e6
        print(
            f"model of Banking77, features={features!r}: {size:.2f} MB {verdict(size, 2, 'MB')}; to predict "
            f"{one:.2f} ms a text, one at a time, {1000 * many / len(texts):.3f} ms all at once",
            flush=True,
        )


PARTS = ("one-fit", "solver", "words", "many-rows", "busy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()

    file = args.banking77 / "banking77_train.csv"
    corpus = read_corpus(file)
    texts, labels = list(corpus.texts), list(corpus.labels)
    vectors = embedclf.open_embedder("wordllama").embed(texts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], None]] = {
            "one-fit": lambda: one_fit(texts, labels, vectors, args.runs),
            "solver": lambda: solver(labels, vectors),
            "words": lambda: words(texts, labels, vectors, folder),
            "many-rows": lambda: many_rows(texts, labels),
            "busy": lambda: busy(file, folder, args.runs),
        }
        for part in [args.only] if args.only else PARTS:
            parts[part]()


if __name__ == "__main__":
    main()
