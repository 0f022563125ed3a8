"""How often sets of labels hold the true one, and how large they are; against MAPIE on the same probabilities.

    pip install mapie
    python benchmarks/coverage_sets.py --banking77 FOLDER

FOLDER is that of quality.py. All vectors are WordLlama's, used with words. `--splits` is how often Banking77's rows
are divided anew for training and testing. MAPIE's figures are left out where it is not installed.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from quality import DATASETS, Rows, read
from sklearn.base import BaseEstimator, ClassifierMixin

import embedclf
from embedclf.classifier.label_sets import Conformal, label_sets
from embedclf.stats.intervals import interval_of_mean

COVERAGES = (0.8, 0.9, 0.95, 0.98)
HEADER = f"{'':<26}{'held':>6}  {'95 % interval':<16}{'size':>6}{'one':>8}{'none':>8}{'worst label':>13}"


def as_mask(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    sets = label_sets(probabilities, threshold)
    mask = np.zeros(probabilities.shape, dtype=bool)
    mask[np.repeat(np.arange(len(sets.sizes)), sets.sizes), sets.places] = True
    return mask


def indices(classifier: embedclf.TextClassifier, rows: Rows) -> np.ndarray:
    return np.searchsorted(classifier.classes, rows.labels)


def show(name: str, mask: np.ndarray, y: np.ndarray) -> None:
    held, sizes = mask[np.arange(len(y)), y], mask.sum(axis=1)
    low, high = interval_of_mean(held)
    worst = min(held[y == label].mean() for label in np.unique(y))
    shares = f"{(sizes == 1).mean():>8.1%}{(sizes == 0).mean():>8.1%}{worst:>13.2f}"
    print(f"{name:<26}{held.mean():>6.3f}  {low:.3f} to {high:.3f}  {sizes.mean():>6.2f}{shares}", flush=True)


class Known(ClassifierMixin, BaseEstimator):
    """Returns probabilities that are known, by the numbers of the rows."""

    def __init__(self, probabilities: np.ndarray) -> None:
        self.probabilities = probabilities
        self.classes_ = np.arange(probabilities.shape[1])

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        found = self.probabilities[np.asarray(X)[:, 0]].astype(np.float64)
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.predict_proba(X).argmax(axis=1)


def of_mapie(
    calibration: np.ndarray, y: np.ndarray, test: np.ndarray, coverage: float
) -> Iterator[tuple[str, np.ndarray]]:
    from mapie.classification import SplitConformalClassifier

    known = Known(np.concatenate([calibration, test]))
    rows = np.arange(len(known.probabilities))[:, None]
    for score in ("lac", "aps", "raps"):
        sets = SplitConformalClassifier(known, coverage, score, prefit=True, random_state=0)
        sets.conformalize(rows[: len(y)], y)
        try:
            found = sets.predict_set(rows[len(y) :])[1][:, :, 0]
        except ValueError as error:  # RAPS takes some of the rows for its own setting
            print(f"MAPIE, {score}: {' '.join(str(error).split())}")
        else:
            yield f"MAPIE, {score}", found


def more_likely(probabilities: np.ndarray) -> np.ndarray:
    """Sum the probabilities of the labels that are more likely than each."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities.astype(np.float64), order, axis=1)
    sums = np.empty_like(ranked)
    np.put_along_axis(sums, order, np.cumsum(ranked, axis=1) - ranked, axis=1)
    return sums


def adaptive(calibration: np.ndarray, y: np.ndarray, test: np.ndarray, coverage: float) -> np.ndarray:
    """Adaptive sets that are never empty, and calibrated as such: the most likely label is held at any threshold."""
    scores = np.sort(more_likely(calibration)[np.arange(len(y)), y])
    return more_likely(test) <= scores[int(np.ceil((len(y) + 1) * coverage)) - 1]


def on_the_same_probabilities(name: str, train: Rows, test: Rows) -> None:
    """A fifth of the training rows calibrates, and nothing else is done with it."""
    aside = np.random.default_rng(0).permutation(len(train.texts)) < len(train.texts) // 5
    classifier = train[~aside].train(holdout=0)
    calibration, of_test = (classifier.probabilities(one.vectors, one.texts) for one in (train[aside], test))
    y, y_test = indices(classifier, train[aside]), indices(classifier, test)
    for coverage in COVERAGES:
        print(f"\n{name}, a fifth of the rows set aside, coverage {coverage}\n{HEADER}")
        show("embedclf", as_mask(of_test, Conformal.of(calibration, y).threshold(coverage)), y_test)
        show("adaptive, never empty", adaptive(calibration, y, of_test, coverage), y_test)
        if find_spec("mapie") is not None:
            for method, mask in of_mapie(calibration, y, of_test, coverage):
                show(method, mask, y_test)


def as_trained(name: str, train: Rows, test: Rows) -> None:
    """No rows are set aside for it."""
    classifier = train.train()
    probabilities, y = classifier.probabilities(test.vectors, test.texts), indices(classifier, test)
    print(f"\n{name}, as embedclf trains\n{HEADER}")
    for coverage in COVERAGES:
        show(f"coverage {coverage}", as_mask(probabilities, classifier.card.set_threshold(coverage)), y)


def on_new_splits(train: Rows, test: Rows, splits: int) -> None:
    rows, measured = train.joined(test), defaultdict(list)
    for seed in range(1, splits + 1):
        order = np.random.default_rng(seed).permutation(len(rows.texts))
        learned, others = rows[order[: len(train.texts)]], rows[order[len(train.texts) :]]
        classifier = learned.train(seed=seed)
        probabilities, y = classifier.probabilities(others.vectors, others.texts), indices(classifier, others)
        for coverage in COVERAGES:
            mask = as_mask(probabilities, classifier.card.set_threshold(coverage))
            measured[coverage].append((mask[np.arange(len(y)), y].mean(), mask.sum(axis=1).mean()))
    print(f"\nBanking77, {splits} new splits: held, and size, on average")
    for coverage, figures in measured.items():
        each = ", ".join(f"{held:.3f}" for held, _ in figures)
        held, size = np.mean(figures, axis=0)
        print(f"coverage {coverage}: {held:.3f} ({each}), {size:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--splits", type=int, default=5)
    args = parser.parse_args()
    logging.disable()

    banking = [read(args.banking77 / f"banking77_{part}.csv") for part in ("train", "test")]
    tickets = [read(DATASETS / f"support_tickets{part}.csv") for part in ("", "_test")]
    for name, (train, test) in {"Banking77": banking, "support tickets": tickets}.items():
        as_trained(name, train, test)
        on_the_same_probabilities(name, train, test)
    if args.splits:
        on_new_splits(*banking, args.splits)


if __name__ == "__main__":
    main()
