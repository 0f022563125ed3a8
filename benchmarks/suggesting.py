"""What choosing the rows to label brings, against labelling as many at random.

    python benchmarks/suggesting.py --banking77 FOLDER

From two labels a class, round after round: train as embedclf does, choose as many rows as there are classes (12 of the
product reviews), label them with the labels that the file has, train again. Each way of choosing starts from the same
rows in each draw, so the differences are paired. FOLDER is that of quality.py; all vectors are WordLlama's.
"""

import argparse
import logging
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from quality import DATASETS, Rows, read
from scipy.stats import t
from sklearn.cluster import KMeans

import embedclf

LABELS_A_CLASS = 2
SHOWN_ROUNDS = (1, 2, 4, 7, 10)


def at_random(classifier, texts, vectors, n, rng):
    return rng.permutation(len(texts))[:n]


def unsure(classifier, vectors):
    best = np.sort(classifier.probabilities(vectors), axis=1)
    return 1 - (best[:, -1] - best[:, -2])


def least_margin(classifier, texts, vectors, n, rng):
    """Only uncertainty."""
    return np.argsort(-unsure(classifier, vectors), kind="stable")[:n]


def nearest_to_centres(vectors, weights, n):
    clusters = KMeans(n, n_init=1, random_state=0).fit(vectors, sample_weight=weights)
    return np.unique(clusters.transform(vectors).argmin(axis=0))


def spread(classifier, texts, vectors, n, rng):
    """Only spread: the text nearest to each centre of k-means."""
    return nearest_to_centres(vectors, None, n)


def weighted_k_means(classifier, texts, vectors, n, rng):
    """Both, as Zhdanov, "Diverse mini-batch Active Learning", 2019, does it: among the 10 n least sure."""
    uncertainty = unsure(classifier, vectors)
    candidates = np.argsort(-uncertainty, kind="stable")[: 10 * n]
    return candidates[nearest_to_centres(vectors[candidates], uncertainty[candidates], n)]


def suggested(classifier, texts, vectors, n, rng):
    """Both, as embedclf does it."""
    return np.array([row.row for row in embedclf.suggest(classifier, texts, n, vectors=vectors).rows])


WAYS = {
    "random": at_random,
    "margin": least_margin,
    "spread": spread,
    "weighted k-means": weighted_k_means,
    "suggest": suggested,
}


def one_draw(train: Rows, test: Rows, n: int, rounds: int, seed: int) -> dict[str, list[float]]:
    """Give the accuracy on the test rows after each round, from none, of each way of choosing."""
    logging.getLogger("embedclf").setLevel(logging.ERROR)  # with so few labels, it warns at each training
    start = train.draw(LABELS_A_CLASS, seed)
    curves = {}
    for name, choose in WAYS.items():
        rng = np.random.default_rng(seed)
        labelled = np.zeros(len(train.texts), dtype=bool)
        labelled[start] = True
        curves[name] = []
        for number in range(rounds + 1):
            classifier = train[np.flatnonzero(labelled)].train(holdout=0, features="embedding", label_names=False)
            answers = np.array(classifier.classes)[classifier.probabilities(test.vectors).argmax(axis=1)]
            curves[name].append(100 * float(np.mean(answers == test.labels)))
            if number < rounds:
                pool = np.flatnonzero(~labelled)
                labelled[pool[choose(classifier, train.texts[pool], train.vectors[pool], n, rng)]] = True
    return curves


def simulate(name: str, train: Rows, test: Rows, n: int, rounds: int, draws: int, jobs: int) -> None:
    began = time.monotonic()
    each = Parallel(n_jobs=jobs)(delayed(one_draw)(train, test, n, rounds, seed) for seed in range(draws))
    print(f"{name}, {rounds} rounds of {n} rows, {draws} draws ({time.monotonic() - began:.0f} s):")
    shown = [number for number in SHOWN_ROUNDS if number <= rounds]
    print(f"{'accuracy after round':20}" + "".join(f"{number:>22}" for number in shown) + f"{'mean of all':>22}")
    columns = {}
    for way in WAYS:
        curves = np.array([one[way][1:] for one in each])
        columns[way] = [*(curves[:, number - 1] for number in shown), curves.mean(axis=1)]
    for way, own in columns.items():
        pairs = zip(own, columns["random"], strict=True)
        cells = [f"{a.mean():.1f}" if way == "random" else gain(a - b) for a, b in pairs]
        print(f"{way:20}" + "".join(f"{cell:>22}" for cell in cells))
    for way in ("margin", "spread", "weighted k-means"):
        cells = [gain(a - b) for a, b in zip(columns["suggest"], columns[way], strict=True)]
        print(f"suggest over {way[-7:]:7}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


def gain(differences: np.ndarray) -> str:
    """Write a mean with its 95 % interval, Student's t over the draws."""
    n = len(differences)
    half = t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    mean = differences.mean()
    return f"{mean:+.1f} ({mean - half:+.1f}, {mean + half:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, metavar="FOLDER", help="without it, only datasets/*.csv")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="draws at once")
    args = parser.parse_args()

    sets = [
        (name, DATASETS / f"{name}.csv", DATASETS / f"{name}_test.csv")
        for name in ("support_tickets", "product_reviews")
    ]
    for name, *files in sets:
        train, test = map(read, files)
        simulate(name, train, test, 12, args.rounds, 2 * args.draws, args.jobs)
    if args.banking77 is not None:
        train, test = (read(args.banking77 / f"banking77_{part}.csv") for part in ("train", "test"))
        simulate("Banking77", train, test, 77, args.rounds, args.draws, args.jobs)


if __name__ == "__main__":
    main()
