"""What backing off to a parent gains where a classifier would otherwise abstain, with the labels in a tree.

    python benchmarks/hierarchy.py --banking77 FOLDER

FOLDER is that of quality.py. Banking77's labels are in no tree: the one below was made of their names alone, before
anything was measured. All vectors are WordLlama's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from quality import Rows, read

import embedclf

# A label is in the first group of which a part occurs in its name; "card" comes last, since most have to do with one.
GROUPS = {
    "identity": ("identity", "source_of_funds", "personal_details", "age_limit", "terminate", "phone"),
    "top_up": ("top_up", "topping_up"),
    "transfer": ("transfer", "beneficiary", "receiving_money", "direct_debit"),
    "cash": ("cash", "atm", "swallowed"),
    "exchange": ("exchange", "currenc", "country"),
    "security": ("pin", "passcode", "compromised", "lost_or_stolen"),
    "payment": ("payment", "charged", "charge", "refund", "Refund", "acceptance", "contactless"),
    "card": ("card", "visa", "apple_pay"),
}
TARGETS = (0.93, 0.95, 0.97, 0.98)


def in_tree(label: str) -> str:
    group = next(name for name, parts in GROUPS.items() if any(part in label for part in parts))
    return f"{group}/{label}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()

    def read_in_tree(part: str) -> Rows:
        rows = read(args.banking77 / f"banking77_{part}.csv")
        return replace(rows, labels=np.array([in_tree(label) for label in rows.labels]))

    train, test = read_in_tree("train"), read_in_tree("test")
    groups = [label.partition("/")[0] for label in sorted(set(train.labels))]
    print("labels a group:", ", ".join(f"{name} {groups.count(name)}" for name in GROUPS))
    for target in TARGETS:
        print(f"target accuracy {target}")
        for name, settings in (("leaf or nothing", {}), ("backing off", {"label_hierarchy": "/"})):
            classifier = train.train(features="embedding", holdout=0, target_accuracy=target, **settings)
            report = embedclf.evaluate(classifier, test.texts, test.labels, vectors=test.vectors)
            answered, threshold = report.answered, report.threshold
            share, accuracy = (1.0, report.accuracy) if answered is None else (answered.coverage, answered.accuracy)
            print(f"  {name:<15}  threshold {threshold:.4f}  answered {share:.3f}  accuracy {accuracy:.3f}", end="")
            for one in report.hierarchy.answered if report.hierarchy else ():
                of_these = "–" if one.accuracy is None else f"{one.accuracy:.3f}"
                print(f"  level {one.depth}: {one.coverage:.3f}, {of_these}", end="")
            print(flush=True)
    for one in report.hierarchy.levels:
        print(f"level {one.level}: {one.n_labels} labels, accuracy {one.accuracy:.3f}, macro-F1 {one.macro_f1:.3f}")


if __name__ == "__main__":
    main()
