"""Search, against `X @ q` and a partial sort: 1,000,000 × 256 float32, in memory and mapped from a file.

    python benchmarks/search.py
    python benchmarks/search.py --banking77 FOLDER

One query is that of `embedclf.search`, several are asked together, as `evaluate` asks them. Both sides in turn, in one
process; the median of several runs. The mapped file has been read before, so that it is in the system's memory if that
is large enough. Then what recommendations are with several weights of the similarity to the text (lambda of MMR), for
300 rows with WordLlama's vectors; FOLDER holds banking77_train.csv.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.exploration import recommendation
from embedclf.stats.neighbours import nearest

K = 5
DATASETS = Path(__file__).parent.parent / "datasets"


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def partial_sort(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    similarities = (vectors @ queries[0])[None] if len(queries) == 1 else queries @ vectors.T
    rows = np.argpartition(similarities, len(vectors) - K, axis=1)[:, -K:]
    order = np.argsort(-np.take_along_axis(similarities, rows, axis=1), axis=1)
    return np.take_along_axis(rows, order, axis=1)


def compare(name: str, vectors: np.ndarray, queries: np.ndarray, runs: int) -> None:
    texts = [f"text number {number}" for number in range(len(vectors))]

    def ours() -> np.ndarray:
        if len(queries) > 1:
            return nearest(vectors, queries, K).rows
        hits = embedclf.search(texts, "a query", K, vectors=vectors, query_vector=queries[0]).hits
        return np.array([[hit.row for hit in hits]])

    def theirs() -> np.ndarray:
        return partial_sort(vectors, queries)

    np.testing.assert_array_equal(ours(), theirs())
    times = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    one, other = (median(side) for side in zip(*times, strict=True))
    ratios = sorted(mine / plain for mine, plain in times)
    limit = " (limit 1.5)" if len(queries) == 1 else ""
    print(
        f"{name}, {len(queries)} {'query' if len(queries) == 1 else 'queries'}: {one:.3f} s against {other:.3f} s, "
        f"{median(ratios):.2f} × ({ratios[0]:.2f} to {ratios[-1]:.2f}){limit}",
        flush=True,
    )


def speed(n: int, n_dimensions: int, runs: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n, n_dimensions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = rng.standard_normal((8, n_dimensions), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, vectors)
        for name, given in (("in memory", vectors), ("mapped", np.load(path, mmap_mode="r"))):
            compare(name, given, queries[:1], runs)
            compare(name, given, queries, max(runs // 3, 1))


def weights(path: Path) -> None:
    corpus = read_corpus(path)
    labels, vectors = np.array(corpus.labels), embedclf.open_embedder("wordllama").embed(corpus.texts)
    rows = np.random.default_rng(0).permutation(len(vectors))[:300].tolist()
    print(f"{path.name}, the {K} recommended for each of {len(rows)} rows, means:")
    usual = recommendation.RELEVANCE
    for weight in (1, 0.8, 0.7, 0.6, 0.5):
        recommendation.RELEVANCE = weight
        each = [
            embedclf.recommend(corpus.texts, row=row, k=K, labels=corpus.labels, vectors=vectors).hits for row in rows
        ]
        found = [np.array([hit.row for hit in hits]) for hits in each]
        same = np.mean([(labels[others] == labels[row]).mean() for row, others in zip(rows, found, strict=True)])
        near = np.mean([hit.similarity for hits in each for hit in hits])
        alike = np.mean([(vectors[o] @ vectors[o].T)[np.triu_indices(len(o), 1)].mean() for o in found])
        print(
            f"  lambda {weight:g}: of the row's label {same:.3f}, similarity to it {near:.3f}, to each other "
            f"{alike:.3f}",
            flush=True,
        )
    recommendation.RELEVANCE = usual


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()
    speed(args.rows, args.dimensions, args.runs)
    weights(DATASETS / "support_tickets.csv")
    if args.banking77:
        weights(args.banking77 / "banking77_train.csv")


if __name__ == "__main__":
    main()
