"""Groups of unlabelled texts, against k-means that is told how many there are.

    python benchmarks/clustering.py --banking77 FOLDER

FOLDER holds banking77_train.csv and banking77_test.csv with the columns text and label (Casanueva et al., "Efficient
Intent Detection with Dual Sentence Encoders", 2020; 10,003 and 3,080 rows). All vectors are WordLlama's. The measure is
the adjusted mutual information with the labels, which are hidden from both: 0 is chance, 1 is the same groups (Vinh,
Epps & Bailey, "Information theoretic measures for clusterings comparison", 2010). Of k-means, the best of five runs
counts, each measured on all texts and on those that `embedclf cluster` places.

--settings shows what other settings do on the support tickets; --neighbours and --resolution judge others on all files.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

import embedclf
from embedclf.arrays import Vectors
from embedclf.data.corpus import Corpus, read_corpus
from embedclf.exploration import clustering

DATASETS = Path(__file__).parent.parent / "datasets"
EMBEDDER = embedclf.open_embedder("wordllama")
RUNS = 5


def judge(corpus: Corpus, vectors: Vectors, n_clusters: int | None = None) -> tuple[float, np.ndarray, int]:
    """Give the AMI of what is placed, what that is, and the number of groups."""
    found = embedclf.cluster(corpus.texts, n_clusters, vectors=vectors)
    groups = np.array([-1 if number is None else number for number in found.assigned])
    placed = groups >= 0
    return ami(np.array(corpus.labels)[placed], groups[placed]), placed, len(found.clusters)


def ami(labels: np.ndarray, groups: np.ndarray) -> float:
    return float(adjusted_mutual_info_score(labels, groups))


def compare(name: str, corpus: Corpus, vectors: Vectors) -> None:
    labels = np.array(corpus.labels)
    k = len(set(corpus.labels))
    started = time.process_time()
    chosen, placed, n_groups = judge(corpus, vectors)
    seconds = time.process_time() - started
    told, placed_told, _ = judge(corpus, vectors, k)
    started = time.process_time()
    runs = [KMeans(k, n_init=1, random_state=seed).fit_predict(vectors) for seed in range(RUNS)]
    of_kmeans = (time.process_time() - started) / RUNS
    on_all = max(ami(labels, run) for run in runs)

    def best(of: np.ndarray) -> float:
        return max(ami(labels[of], run[of]) for run in runs)

    print(
        f"| {name} | {n_groups}, {k} | {placed.mean():.1%} | {chosen:.3f} | {on_all:.3f} / {best(placed):.3f} | "
        f"{told:.3f} ({placed_told.mean():.1%} assigned) | {on_all:.3f} / {best(placed_told):.3f} | "
        f"{seconds:.1f} s, {of_kmeans:.1f} s |",
        flush=True,
    )


def settings(corpus: Corpus, vectors: Vectors) -> None:
    resolutions = (1.0, 1.5, 2.0, 2.5, 3.0)
    print("| neighbours | " + " | ".join(f"resolution {one:g}" for one in resolutions) + " |")
    print("|---" * (len(resolutions) + 1) + "|")
    kept = clustering.NEIGHBOURS, clustering.RESOLUTION
    for clustering.NEIGHBOURS in (10, 15, 20, 25, 30):
        cells = []
        for clustering.RESOLUTION in resolutions:
            value, placed, n_groups = judge(corpus, vectors)
            cells.append(f"{value:.3f} ({n_groups} groups, {placed.mean():.1%})")
        print(f"| {clustering.NEIGHBOURS} | " + " | ".join(cells) + " |", flush=True)
    clustering.NEIGHBOURS, clustering.RESOLUTION = kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--settings", action="store_true", help="show what others do, too")
    parser.add_argument("--neighbours", type=int, default=clustering.NEIGHBOURS)
    parser.add_argument("--resolution", type=float, default=clustering.RESOLUTION)
    args = parser.parse_args()
    clustering.NEIGHBOURS, clustering.RESOLUTION = args.neighbours, args.resolution

    files = {
        "support tickets": DATASETS / "support_tickets.csv",
        "support tickets, test": DATASETS / "support_tickets_test.csv",
        "Banking77, test": args.banking77 / "banking77_test.csv",
        "Banking77, training": args.banking77 / "banking77_train.csv",
    }
    corpora = {name: read_corpus(path) for name, path in files.items()}
    vectors = {name: EMBEDDER.embed(corpus.texts) for name, corpus in corpora.items()}
    print(
        "| texts | clusters, labels | assigned | AMI | k-means told k: all / assigned | --clusters k | k-means "
        "| CPU time |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, corpus in corpora.items():
        compare(name, corpus, vectors[name])
    if args.settings:
        print("\nThe support tickets, over the texts placed:\n")
        settings(corpora["support tickets"], vectors["support tickets"])


if __name__ == "__main__":
    main()
