"""Train, measure, and predict with Polars frames.

pip install embedclf polars
python examples/with_polars.py datasets/support_tickets.csv datasets/support_tickets_test.csv
"""

import sys

import polars as pl

import embedclf


def main(train_file: str, test_file: str) -> None:
    tickets, test = pl.read_csv(train_file), pl.read_csv(test_file)
    classifier = embedclf.train(tickets, text="text", label="label")
    report = embedclf.evaluate(classifier, test)
    print(f"accuracy {report.accuracy:.3f}")

    predictions = classifier.with_min_confidence(0.6).classify(test["text"])
    answered = test.with_columns(
        predicted=pl.Series([one.label for one in predictions]),  # null where the classifier abstains
        confidence=pl.Series([one.confidence for one in predictions]),
    )
    print(answered.filter(pl.col("predicted") != pl.col("label")).sort("confidence", descending=True).head(3))
    print(answered.group_by("predicted").len().sort("len", descending=True).head(3))


if __name__ == "__main__":
    main(*sys.argv[1:])
