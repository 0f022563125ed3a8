"""What answers of least expected cost save, and what the correction for class weights does to the probabilities.

    python benchmarks/costs.py --banking77 FOLDER

FOLDER is that of quality.py. A tenth of the labels is drawn: to miss one of them costs ten times as much as another
mistake; to abstain costs half a mistake, or cannot be chosen. For the weights, a third of the labels is drawn to have a
tenth of their rows, in training and test, and class_weight="balanced" is compared with the same weights as
sample_weight, which are not corrected. All vectors are WordLlama's.
"""

import argparse
from pathlib import Path

import numpy as np
from quality import DATASETS, Rows, quality, read

import embedclf

COSTLY, SHARE_COSTLY, ABSTAINING = 10.0, 0.1, 0.5
SHARE_RARE, RARE = 1 / 3, 0.1


def costs(name: str, train: Rows, test: Rows, draws: int) -> None:
    labels = sorted(set(train.labels))
    for abstains in (False, True):
        for seed in range(draws):
            n = max(1, round(SHARE_COSTLY * len(labels)))
            costly = np.random.default_rng(seed).choice(labels, n, replace=False).tolist()
            given = {(label, "*"): COSTLY for label in costly}
            if abstains:
                given["*", None] = ABSTAINING
            classifier = train.train(costs=given, holdout=0)
            cost = embedclf.evaluate(classifier, test.texts, test.labels, vectors=test.vectors).answers.cost
            low, high = cost.difference_interval
            print(
                f"{name}, {'abstaining costs 0.5' if abstains else 'no abstaining'}, draw {seed}: mean cost "
                f"{cost.mean:.3f} ({cost.mean_interval.low:.3f} to {cost.mean_interval.high:.3f}), likeliest label "
                f"{cost.likeliest:.3f}, difference {cost.difference:+.3f} ({low:.3f} to {high:.3f}), "
                f"abstains on {cost.abstained:.1%}",
                flush=True,
            )


def imbalanced(rows: Rows, rare: list[str], seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    kept = ~np.isin(rows.labels, rare) | (rng.random(len(rows.labels)) < RARE)
    for label in rare:  # so that each occurs
        kept[np.flatnonzero(rows.labels == label)[:2]] = True
    return rows[kept]


def weights(name: str, train: Rows, test: Rows, draws: int) -> None:
    labels = sorted(set(train.labels))
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(draws):
        rare = np.random.default_rng(seed).choice(labels, round(SHARE_RARE * len(labels)), replace=False).tolist()
        own, others = imbalanced(train, rare, seed), imbalanced(test, rare, seed + draws)
        names, y, counts = np.unique(own.labels, return_inverse=True, return_counts=True)
        weight = len(y) / (len(names) * counts[y])
        sides = {
            "no weights": {},
            "as sample_weight": {"sample_weight": weight},
            "corrected": {"class_weight": "balanced"},
        }
        for side, settings in sides.items():
            classifier = own.train(holdout=0, **settings)
            measured = quality(list(classifier.classes), classifier.probabilities(others.vectors, others.texts), others)
            report = embedclf.evaluate(classifier, others.texts, others.labels, vectors=others.vectors)
            recall = np.mean([report.per_class[label].recall for label in rare])
            found.setdefault(side, []).append(
                (measured.log_loss, measured.ece, measured.overconfidence, report.accuracy, report.macro_f1, recall)
            )
    for side, figures in found.items():
        log_loss, ece, over, accuracy, macro_f1, recall = np.mean(figures, axis=0)
        print(
            f"{name}, balanced weights, {side}: log loss {log_loss:.3f}, calibration error {ece:.3f}, confidence less "
            f"accuracy {over:+.3f}; answers: accuracy {accuracy:.3f}, macro-F1 {macro_f1:.3f}, recall of rare labels "
            f"{recall:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--banking77", type=Path, metavar="FOLDER")
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    sets = {"support_tickets": [DATASETS / f"support_tickets{part}.csv" for part in ("", "_test")]}
    if given.banking77 is not None:
        sets["Banking77"] = [given.banking77 / f"banking77_{part}.csv" for part in ("train", "test")]
    for name, paths in sets.items():
        train, test = map(read, paths)
        costs(name, train, test, given.draws)
        weights(name, train, test, given.draws)
