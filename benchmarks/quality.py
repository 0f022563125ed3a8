"""The quality of the logistic head with default settings, against its limits.

    python benchmarks/quality.py --banking77 FOLDER

FOLDER holds banking77_train.csv and banking77_test.csv with the columns text and label (Casanueva et al., "Efficient
Intent Detection with Dual Sentence Encoders", 2020; 10,003 and 3,080 rows). All vectors are WordLlama's. `--only` runs
one of the parts.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.stats import metrics
from embedclf.stats.metrics import coverage
from embedclf.training.label_names import label_name_texts

DATASETS = Path(__file__).parent.parent / "datasets"
EMBEDDER = embedclf.open_embedder("wordllama")
TARGETS = (0.92, 0.95, 0.97, 0.99)
FEATURES = ("embedding", "words", "both", "auto")
ROWS_A_LABEL = (1, 2, 4, 8)
NAMES_TAKEN = "names of the labels are training texts"


@dataclass
class Rows:
    """Labelled texts with their vectors."""

    texts: np.ndarray
    labels: np.ndarray
    vectors: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Self:
        return replace(self, texts=self.texts[rows], labels=self.labels[rows], vectors=self.vectors[rows])

    def train(self, **settings: object) -> embedclf.TextClassifier:
        return embedclf.train(self.texts, self.labels, embedder=EMBEDDER, vectors=self.vectors, **settings)

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Choose n rows of each label, by their numbers."""
        rng = np.random.default_rng(seed)
        each = [np.flatnonzero(self.labels == name) for name in sorted(set(self.labels))]
        return np.concatenate([rng.choice(rows, n, replace=False) for rows in each])

    def drawn(self, n: int, seed: int) -> Self:
        return self[self.draw(n, seed)]

    def joined(self, others: Self) -> Self:
        return Rows(
            np.concatenate([self.texts, others.texts]),
            np.concatenate([self.labels, others.labels]),
            np.concatenate([self.vectors, others.vectors]),
        )


def read(*paths: Path) -> Rows:
    corpora = [read_corpus(path) for path in paths]
    texts = [text for one in corpora for text in one.texts]
    labels = [label for one in corpora for label in one.labels]
    return Rows(np.array(texts), np.array(labels), EMBEDDER.embed(texts))


class Quality(NamedTuple):
    accuracy: float
    log_loss: float
    ece: float
    overconfidence: float


def quality(classes: list[str], probabilities: np.ndarray, test: Rows) -> Quality:
    """Measure probabilities, whose columns are in the order of the sorted labels."""
    y, given, confidence = (
        np.searchsorted(classes, test.labels),
        probabilities.argmax(axis=1),
        probabilities.max(axis=1),
    )
    accuracy = metrics.accuracy(y, given)
    return Quality(
        accuracy,
        metrics.log_loss(y, probabilities),
        metrics.expected_calibration_error(given == y, confidence),
        float(confidence.mean()) - accuracy,
    )


def of_embedclf(train: Rows, test: Rows, **settings: object) -> Quality:
    classifier = train.train(**settings)
    return quality(list(classifier.classes), classifier.probabilities(test.vectors, test.texts), test)


def chosen_logistic(seed: int = 0) -> LogisticRegressionCV:
    """Choose C by log loss, as embedclf does."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return LogisticRegressionCV(scoring="neg_log_loss", cv=folds, max_iter=1_000, **LEGACY)


LEGACY = {"use_legacy_attributes": False, "l1_ratios": (0.0,)}


# Defaults, on the test rows.


class Limits(NamedTuple):
    accuracy: float
    log_loss: float = np.inf
    ece: float = np.inf


LIMITS = {"Banking77": Limits(0.924, 0.28, 0.02), "support_tickets": Limits(0.765), "product_reviews": Limits(0.725)}


def defaults(name: str, train: Rows, test: Rows) -> None:
    found = {features: of_embedclf(train, test, features=features) for features in FEATURES}
    tfidf = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), chosen_logistic())
    tfidf.fit(train.texts, train.labels)
    found["TF-IDF, LogisticRegressionCV"] = quality(list(tfidf.classes_), tfidf.predict_proba(test.texts), test)
    for side, figures in found.items():
        print(
            f"{name}, {side}: accuracy {figures.accuracy:.4f}, log loss {figures.log_loss:.4f}, "
            f"calibration error {figures.ece:.4f}",
            flush=True,
        )
    limits = LIMITS[name]
    least = max(found["embedding"].accuracy, found["words"].accuracy) - 0.005
    wanted = [
        f"accuracy {limits.accuracy:g}",
        f"accuracy {least:.4f} (the better of vectors and words, less 0.5 points)",
    ]
    wanted += [f"log loss {limits.log_loss:g}", f"calibration error {limits.ece:g}"] if limits.ece < np.inf else []
    auto = found["auto"]
    held = auto.accuracy >= max(limits.accuracy, least) and auto.log_loss <= limits.log_loss and auto.ece <= limits.ece
    print(f"{name}, limits of auto: {'; '.join(wanted)}: {'all held' if held else 'MISSED'}", flush=True)


# Calibration where rows are few.


def of_scikit_learn(train: Rows, test: Rows, seed: int) -> Quality:
    calibrated = CalibratedClassifierCV(chosen_logistic(seed), method="temperature")
    calibrated.fit(train.vectors, train.labels)
    return quality(list(calibrated.classes_), calibrated.predict_proba(test.vectors), test)


def resplit(train: Rows, test: Rows, seed: int) -> tuple[Rows, Rows]:
    both = train.joined(test)
    order = np.random.default_rng(seed).permutation(len(both.texts))
    return both[order[: len(train.texts)]], both[order[len(train.texts) :]]


def calibration(name: str, train: Rows, test: Rows, seeds: int) -> None:
    for what in ("seeds of train", "random splits"):
        found: dict[str, list[Quality]] = {"embedclf, auto": [], "embedclf, embedding": [], "scikit-learn": []}
        for seed in range(seeds):
            fitted, judged = (train, test) if what == "seeds of train" else resplit(train, test, seed)
            found["embedclf, auto"].append(of_embedclf(fitted, judged, seed=seed))
            found["embedclf, embedding"].append(of_embedclf(fitted, judged, seed=seed, features="embedding"))
            found["scikit-learn"].append(of_scikit_learn(fitted, judged, seed))
            print(
                f"  {name}, {what}, {seed}: "
                + "; ".join(
                    f"{side}: log loss {each[-1].log_loss:.4f}, confidence {100 * each[-1].overconfidence:+.1f}"
                    for side, each in found.items()
                ),
                flush=True,
            )
        for side, each in found.items():
            _, losses, eces, over = np.array(each).T
            worse = losses - np.array([one.log_loss for one in found["scikit-learn"]])
            print(
                f"{name}, {seeds} {what}, {side}: confidence less accuracy {100 * over.mean():+.1f} points "
                f"({100 * over.min():+.1f} to {100 * over.max():+.1f}; within 2), log loss {losses.mean():.4f} (beyond "
                f"scikit-learn's {worse.mean():+.4f}, {worse.min():+.4f} to {worse.max():+.4f}; at most 0), "
                f"calibration error {eces.mean():.4f}",
                flush=True,
            )


# Few labels, and their names.


class _Told(logging.Handler):
    """Keeps what training says."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def takes_names(train: Rows, **settings: object) -> tuple[embedclf.TextClassifier, bool]:
    told, logger = _Told(), logging.getLogger("embedclf")
    logger.addHandler(told)
    classifier = train.train(**settings)
    logger.removeHandler(told)
    return classifier, any(NAMES_TAKEN in message for message in told.messages)


def accuracy(classifier: embedclf.TextClassifier, test: Rows) -> float:
    probabilities = classifier.probabilities(test.vectors, test.texts)
    return float((np.array(classifier.classes)[probabilities.argmax(axis=1)] == test.labels).mean())


def few_labels(name: str, train: Rows, test: Rows, draws: int) -> None:
    names = sorted(set(train.labels))
    vectors = EMBEDDER.embed(label_name_texts(names))
    for n in ROWS_A_LABEL:
        found: dict[str, list[float]] = {}

        def add(side: str, figure: float, found: dict[str, list[float]] = found) -> None:
            found.setdefault(side, []).append(figure)

        for seed in range(draws):
            few = train.drawn(n, seed)
            stock = LogisticRegression().fit(few.vectors, few.labels)
            add("LogisticRegression()", stock.score(test.vectors, test.labels))
            for label_names in (False, True, None):
                classifier, taken = takes_names(few, label_names=label_names, name_vectors=vectors)
                add(f"label_names={label_names}", accuracy(classifier, test))
            add("default takes names", taken)
            add("default takes words", classifier.card.word_scale > 0)
            vectors_alone = few.train(features="embedding", name_vectors=vectors)
            add("default of vectors alone", accuracy(vectors_alone, test))
            wrong = dict(zip(names, np.roll(names, 1 + seed), strict=True))
            classifier, taken = takes_names(_renamed(few, wrong), name_vectors=vectors)
            add("shuffled names", accuracy(classifier, _renamed(test, wrong)))
            add("shuffled names taken", taken)
        gains = np.array(found["label_names=None"]) - found["label_names=False"]
        print(
            f"{name}, {n} a label, {draws} draws: "
            + ", ".join(f"{side} {np.mean(each):.3f}" for side, each in found.items())
            + f"; default over no names {100 * gains.mean():+.1f} points "
            f"({100 * gains.min():+.1f} to {100 * gains.max():+.1f})",
            flush=True,
        )


def _renamed(rows: Rows, names: dict[str, str]) -> Rows:
    return replace(rows, labels=np.array([names[label] for label in rows.labels]))


# A target for the accuracy of answers.


def target_accuracy(rows: Rows, splits: int) -> None:
    beyond = {target: [] for target in TARGETS}
    answered = {target: [] for target in TARGETS}
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(rows.texts))
        kept, test = order[3_000:], order[:3_000]
        for target in TARGETS:
            classifier = rows[kept].train(seed=seed, target_accuracy=target)
            probabilities = classifier.probabilities(rows.vectors[test], rows.texts[test])
            right = np.array(classifier.classes)[probabilities.argmax(axis=1)] == rows.labels[test]
            (point,) = coverage(right, probabilities.max(axis=1), [classifier.card.threshold])
            beyond[target].append(100 * (point.accuracy - target))
            answered[target].append(point.coverage)
        print(f"  split {seed}: " + ", ".join(f"{t:g} {beyond[t][-1]:+.2f}" for t in TARGETS), flush=True)
    for target in TARGETS:
        print(
            f"--target-accuracy {target:g}, {splits} splits: {np.mean(beyond[target]):+.2f} points (from "
            f"{min(beyond[target]):+.2f} to {max(beyond[target]):+.2f}; within 1.5), "
            f"answers {np.mean(answered[target]):.1%}"
        )


PARTS = ("defaults", "calibration", "few-labels", "target-accuracy")


def sets(banking77: Path) -> Iterator[tuple[str, Rows, Rows]]:
    for name in ("support_tickets", "product_reviews"):
        yield name, read(DATASETS / f"{name}.csv"), read(DATASETS / f"{name}_test.csv")
    yield "Banking77", *(read(banking77 / f"banking77_{part}.csv") for part in ("train", "test"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--splits", type=int, default=5)
    args = parser.parse_args()

    logger = logging.getLogger("embedclf")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.NullHandler())
    for part, (name, train, test) in product([args.only] if args.only else PARTS, list(sets(args.banking77))):
        if part == "defaults":
            defaults(name, train, test)
        if part == "calibration" and name != "Banking77":
            calibration(name, train, test, args.seeds)
        if part == "few-labels" and name != "product_reviews":
            few_labels(name, train, test, args.draws)
        if part == "target-accuracy" and name == "Banking77":
            target_accuracy(train.joined(test), args.splits)


if __name__ == "__main__":
    main()
