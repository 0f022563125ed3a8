"""The quality of the logistic head with default settings, against its limits.

    python benchmarks/quality.py --banking77 FOLDER

FOLDER holds banking77_train.csv and banking77_test.csv with the columns text and label (Casanueva et al., "Efficient
Intent Detection with Dual Sentence Encoders", 2020; 10,003 and 3,080 rows). All vectors are WordLlama's.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import embedclf
from embedclf.corpus import read_corpus
from embedclf.metrics import coverage

DATASETS = Path(__file__).parent.parent / "datasets"
EMBEDDER = embedclf.open_embedder("wordllama")
TARGETS = (0.92, 0.95, 0.97, 0.99)


@dataclass
class Rows:
    """Labelled texts with their vectors."""

    texts: np.ndarray
    labels: np.ndarray
    vectors: np.ndarray

    def train(self, rows: np.ndarray, **settings: object) -> embedclf.TextClassifier:
        return embedclf.train(
            self.texts[rows], self.labels[rows], embedder=EMBEDDER, vectors=self.vectors[rows], **settings
        )

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Choose n rows of each label."""
        rng = np.random.default_rng(seed)
        each = [np.flatnonzero(self.labels == name) for name in sorted(set(self.labels))]
        return np.concatenate([rng.choice(rows, n, replace=False) for rows in each])


def read(*paths: Path) -> Rows:
    corpora = [read_corpus(path) for path in paths]
    texts = [text for one in corpora for text in one.texts]
    labels = [label for one in corpora for label in one.labels]
    return Rows(np.array(texts), np.array(labels), EMBEDDER.embed(texts))


def few_labels(train: Rows, test: Rows, draws: int) -> None:
    gains, eces, accuracies = [], [], []
    for seed in range(draws):
        rows = train.draw(8, seed)
        classifier = train.train(rows)
        report = embedclf.evaluate(classifier, test.texts, test.labels, vectors=test.vectors)
        default = LogisticRegression().fit(train.vectors[rows], train.labels[rows]).score(test.vectors, test.labels)
        gains.append(100 * (report.accuracy - default))
        eces.append(report.ece)
        accuracies.append(report.accuracy)
        print(
            f"  draw {seed}: C = {classifier.card.regularization:g}, accuracy {report.accuracy:.4f} against "
            f"{default:.4f}, calibration error {report.ece:.4f}",
            flush=True,
        )
    print(
        f"Banking77, 8 labels a class, {draws} draws: accuracy {np.mean(accuracies):.4f}, {np.mean(gains):+.1f} points "
        f"(from {min(gains):+.1f} to {max(gains):+.1f}) over LogisticRegression() (at least +3), calibration error at "
        f"most {max(eces):.4f} (limit 0.05)",
        flush=True,
    )


def calibration(name: str, train: Rows, test: Rows) -> None:
    classifier = train.train(np.arange(len(train.texts)))
    report = embedclf.evaluate(classifier, test.texts, test.labels, vectors=test.vectors)
    limit = " (limit 0.05)" if report.n_examples >= 1_000 else ""
    print(f"{name}, {report.n_examples:,} test rows: calibration error {report.ece:.4f}{limit}", flush=True)


def target_accuracy(rows: Rows, splits: int) -> None:
    beyond = {target: [] for target in TARGETS}
    answered = {target: [] for target in TARGETS}
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(rows.texts))
        kept, test = order[3_000:], order[:3_000]
        for target in TARGETS:
            classifier = rows.train(kept, seed=seed, target_accuracy=target)
            probabilities = classifier.probabilities(rows.vectors[test])
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--splits", type=int, default=5)
    args = parser.parse_args()

    files = [args.banking77 / f"banking77_{part}.csv" for part in ("train", "test")]
    train, test = map(read, files)
    few_labels(train, test, args.draws)
    calibration("Banking77", train, test)
    for name in ("support_tickets", "product_reviews"):
        calibration(name, read(DATASETS / f"{name}.csv"), read(DATASETS / f"{name}_test.csv"))
    target_accuracy(read(*files), args.splits)


if __name__ == "__main__":
    main()
