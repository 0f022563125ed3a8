"""How often `predict --output` says that texts are unlike the training texts: of texts that are like them, and others.

    python benchmarks/drift_in_use.py --banking77 FOLDER

FOLDER is that of quality.py. All vectors are WordLlama's. `--trainings` is how often each classifier is trained anew,
on other rows; each is asked about `--files` files of each size, drawn from rows that it has not seen.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from quality import DATASETS, Rows, read

import embedclf
from embedclf.classifier.decisions import NOTHING
from embedclf.classifier.reference import Measures
from embedclf.classifier.reference_shift import AnswerTally, ReferenceShift

SIZES = (100, 300, 1_000, 3_000)
SETTINGS = {
    "default settings": {},
    "embedding alone": {"features": "embedding"},
    "words alone": {"features": "words"},
    "nearest centroid": {"head": "centroid"},
    "target accuracy 80 %": {"target_accuracy": 0.8},
}
SHARES = (0.1, 0.2, 0.3, 0.5, 1.0)


class Asked:
    """A classifier, with the scores of rows that it has not seen."""

    def __init__(self, classifier: embedclf.TextClassifier, rows: Rows) -> None:
        self.reference, decision = classifier.card.reference, classifier.decision
        scores = classifier.scores(rows.vectors, list(rows.texts))
        probabilities = classifier.model.to_probabilities(scores)
        self.measures = Measures.of(scores, probabilities, several=False)
        self.answered = decision.decide(probabilities).chosen != NOTHING

    def shift(self, rows: np.ndarray) -> ReferenceShift:
        tally = AnswerTally(self.reference)
        chosen = Measures(self.measures.confidence[rows], self.measures.energy[rows])
        tally.add(chosen, int(self.answered[rows].sum()))
        return tally.shift()


def apart(rows: Rows, n: int, seed: int) -> tuple[Rows, Rows]:
    order = np.random.default_rng(seed).permutation(len(rows.texts))
    return rows[order[:n]], rows[order[n:]]


def files(n_rows: int, size: int, n: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield rng.choice(n_rows, size, replace=False)


def of_the_same(name: str, rows: Rows, n_train: int, args: argparse.Namespace, **settings: object) -> Counter:
    """Count files, and those that are said to be far, by size."""
    counts: Counter = Counter()
    for seed in range(args.trainings):
        train, others = apart(rows, n_train, seed)
        if settings.get("features") == "words":
            asked = Asked(embedclf.train(train.texts, train.labels, **settings), others)
        else:
            asked = Asked(train.train(**settings), others)
        if asked.reference is None:
            continue
        for size in SIZES:
            if size * 2 > len(others.texts):
                continue
            for drawn in files(len(others.texts), size, args.files, seed):
                counts[size, "files"] += 1
                counts[size, "far"] += asked.shift(drawn).is_far
    shown = (
        f"{counts[size, 'far']:>5,} of {counts[size, 'files']:>5,}" if counts[size, "files"] else "" for size in SIZES
    )
    print(f"{name:<44}" + "".join(f"{one:>16}" for one in shown), flush=True)
    return counts


def of_others(name: str, rows: Rows, others: Rows, n_train: int, args: argparse.Namespace) -> None:
    """Print how many files of 300 rows are said to be far, by the share of rows that come from elsewhere."""
    train, usual = apart(rows, n_train, 0)
    mixed = Asked(train.train(), usual.joined(others))
    rng, n, far = np.random.default_rng(0), 300, []
    for share in SHARES:
        n_others, found = round(share * n), 0
        for _ in range(args.files):
            drawn = rng.choice(len(usual.texts), n - n_others, replace=False)
            foreign = len(usual.texts) + rng.choice(len(others.texts), n_others, replace=n_others > len(others.texts))
            found += mixed.shift(np.concatenate([drawn, foreign])).is_far
        far.append(f"{found / args.files:.0%}")
    print(f"{name:<52}" + "".join(f"{one:>7}" for one in far), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--banking77", type=Path, metavar="FOLDER")
    parser.add_argument("--trainings", type=int, default=5)
    parser.add_argument("--files", type=int, default=200)
    args = parser.parse_args()
    logging.getLogger("embedclf").setLevel(logging.ERROR)
    tickets, reviews = (
        read(DATASETS / f"{name}.csv", DATASETS / f"{name}_test.csv") for name in ("support_tickets", "product_reviews")
    )
    german, japanese = (read(DATASETS / f"{name}_messages.csv") for name in ("german", "japanese"))
    everything = {"support_tickets": tickets, "product_reviews": reviews}
    if args.banking77 is not None:
        banking = read(args.banking77 / "banking77_train.csv", args.banking77 / "banking77_test.csv")
        everything["Banking77"] = banking
    print(f"{'files of unseen rows that are said to be unlike':<44}" + "".join(f"{n:>10,} rows " for n in SIZES))
    total: Counter = Counter()
    for name, rows in everything.items():
        sizes = [n for n in (100, 300, 1_000, 3_000, 10_000) if n + 200 <= len(rows.texts)]
        for n_train in sizes:
            total += of_the_same(f"{name}, {n_train:,} train rows", rows, n_train, args)
        for setting, settings in SETTINGS.items():
            if settings:
                n_train = min(3_000, sizes[-1])
                total += of_the_same(f"{name}, {n_train:,} train rows, {setting}", rows, n_train, args, **settings)
    n_far, n_files = (sum(n for (_, kind), n in total.items() if kind == what) for what in ("far", "files"))
    print(f"in all: {n_far:,} of {n_files:,} files ({n_far / n_files:.2%})\n")
    print(f"{'files of 300 rows; of other rows, the share':<52}" + "".join(f"{share:>7.0%}" for share in SHARES))
    if args.banking77 is not None:
        new = np.isin(banking.labels, sorted(set(banking.labels))[::8])
        of_others("Banking77; ten labels that training has not", banking[~new], banking[new], 5_000, args)
        of_others("Banking77; product reviews", banking, reviews, 5_000, args)
        of_others("Banking77; support tickets", banking, tickets, 5_000, args)
    of_others("support_tickets; product reviews", tickets, reviews, 500, args)
    of_others("support_tickets; German messages", tickets, german, 500, args)
    of_others("support_tickets; Japanese messages", tickets, japanese, 500, args)


if __name__ == "__main__":
    main()
