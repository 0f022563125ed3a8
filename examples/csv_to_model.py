"""Train a classifier on a CSV file, measure it on another, and save it.

    python examples/csv_to_model.py datasets/support_tickets.csv datasets/support_tickets_test.csv tickets.safetensors

The files have the columns text and label.
"""

import csv
import sys
from pathlib import Path

import embedclf


def read(path: str) -> tuple[list[str], list[str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def main(train_path: str, test_path: str, model_path: str) -> None:
    found = embedclf.check(*read(train_path), against=read(test_path))
    if found.n_errors:
        sys.exit(f"{train_path} has {found.n_errors} errors: run embedclf check {train_path} --against {test_path}")

    classifier = embedclf.train(*read(train_path))
    report = embedclf.evaluate(classifier, *read(test_path))
    low, high = report.accuracy_interval
    print(f"accuracy {report.accuracy:.3f} ({low:.3f} to {high:.3f}), calibration error {report.ece:.3f}")
    for one in report.wrong[:3]:
        print(f"{one.label}, predicted {one.predicted} ({one.confidence:.2f}): {one.text[:60]}")
    classifier.save(model_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
