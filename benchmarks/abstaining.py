"""What should decide whether to abstain, and how well it rejects what is out of scope.

    python benchmarks/abstaining.py --banking77 FOLDER

FOLDER is that of quality.py. Of Banking77's 77 labels, 17 are drawn to be out of scope: near to the others, as they are
of the same bank. The support tickets are far from them. All vectors are WordLlama's; the figures are means over draws.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from quality import DATASETS, Rows, read

import embedclf
from embedclf.stats.metrics import auroc

N_OUT_OF_SCOPE = 17


def risk_coverage(correct: np.ndarray, confidence: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean share of wrong answers among the surest 1, 2, … of all."""
    wrong = ~correct[np.argsort(-confidence, kind="stable")]
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def measures(classifier: embedclf.TextClassifier, centroids: np.ndarray, vectors: np.ndarray) -> dict[str, np.ndarray]:
    scores = classifier.model.scores(vectors)
    probabilities = classifier.probabilities(vectors)
    first, second = np.sort(probabilities, axis=1)[:, :-3:-1].T
    shifted = scores - scores.max(axis=1, keepdims=True)
    return {
        "maximum probability": first,
        "margin": first - second,
        "entropy": (probabilities * np.log(probabilities + 1e-12)).sum(axis=1),
        "largest score": scores.max(axis=1),
        "energy": np.log(np.exp(shifted).sum(axis=1)) + scores.max(axis=1),
        "distance to centroid": (2 * vectors @ centroids.T - (centroids**2).sum(axis=1)).max(axis=1),
    }


def what_decides(train: Rows, test: Rows, far: Rows, draws: int) -> None:
    for head in ("logistic", "centroid"):
        for n in (8, 35):
            figures = defaultdict(list)
            for seed in range(draws):
                outside = np.random.default_rng(seed).choice(sorted(set(train.labels)), N_OUT_OF_SCOPE, replace=False)
                rows = train.draw(n, seed)
                rows = rows[~np.isin(train.labels[rows], outside)]
                classifier = train[rows].train(head=head, features="embedding")
                centroids = [
                    train.vectors[rows][train.labels[rows] == name].mean(axis=0) for name in classifier.classes
                ]
                inside = ~np.isin(test.labels, outside)
                predicted = np.array(classifier.classes)[classifier.probabilities(test.vectors).argmax(axis=1)]
                of_test = measures(classifier, np.array(centroids), test.vectors)
                of_far = measures(classifier, np.array(centroids), far.vectors)
                for name, confidence in of_test.items():
                    both = np.concatenate([confidence[inside], of_far[name]])
                    figures[name].append(
                        (
                            risk_coverage((predicted == test.labels)[inside], confidence[inside]),
                            auroc(inside, confidence),
                            auroc(np.arange(len(both)) < inside.sum(), both),
                        )
                    )
            print(f"{head}, {n} labels a class: risk-coverage area, AUROC of near and far")
            for name, values in figures.items():
                print("  {:<22} {:.4f}  {:.3f}  {:.3f}".format(name, *np.mean(values, axis=0)), flush=True)


def rejecting(train: Rows, test: Rows, draws: int) -> None:
    figures = defaultdict(list)
    for seed in range(draws):
        outside = np.random.default_rng(seed).choice(sorted(set(train.labels)), N_OUT_OF_SCOPE, replace=False)
        inside = ~np.isin(test.labels, outside)
        in_scope = np.flatnonzero(~np.isin(train.labels, outside))
        relabelled = replace(train, labels=np.where(np.isin(train.labels, outside), "out of scope", train.labels))
        seen = np.flatnonzero(~np.isin(train.labels, outside[N_OUT_OF_SCOPE // 2 :]))
        everything = np.arange(len(train.texts))
        for name, rows, settings in (
            ("no examples, --target-accuracy 0.95", in_scope, {"target_accuracy": 0.95}),
            ("examples of all 17", everything, {"out_of_scope_label": "out of scope"}),
            ("examples of 8 of the 17", seen, {"out_of_scope_label": "out of scope"}),
            (
                "examples of all 17, --target-accuracy 0.9",
                everything,
                {"out_of_scope_label": "out of scope", "target_accuracy": 0.9},
            ),
        ):
            classifier = relabelled[rows].train(features="embedding", **settings)
            probabilities = classifier.probabilities(test.vectors)
            correct = np.array(classifier.classes)[probabilities.argmax(axis=1)] == test.labels
            answered = np.array([label is not None for label in classifier.decide(probabilities)])
            figures[name].append(
                (
                    (correct & answered)[inside].mean(),
                    (~answered)[~inside].mean(),
                    auroc(inside, probabilities.max(axis=1)),
                    correct[inside & answered].mean(),
                    correct[answered].mean(),
                )
            )
    print("in-scope accuracy (abstaining wrong), out-of-scope recall, AUROC; accuracy of answers in scope, and of all")
    for name, values in figures.items():
        print("  {:<42} {:.3f}  {:.3f}  {:.3f}  {:.3f}  {:.3f}".format(name, *np.mean(values, axis=0)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--draws", type=int, default=4)
    args = parser.parse_args()

    train, test = (read(args.banking77 / f"banking77_{part}.csv") for part in ("train", "test"))
    what_decides(train, test, read(DATASETS / "support_tickets.csv"), args.draws)
    rejecting(train, test, args.draws)


if __name__ == "__main__":
    main()
