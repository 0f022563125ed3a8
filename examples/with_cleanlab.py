"""Audit labels with cleanlab's Datalab, using out-of-fold probabilities and embeddings from embedclf.

    pip install embedclf 'cleanlab[datalab]'
    python examples/with_cleanlab.py datasets/support_tickets.csv

`embedclf check` finds label errors with cleanlab, too. Datalab has more checks, such as for underperforming groups.
"""

import csv
import sys
from pathlib import Path

from cleanlab import Datalab

import embedclf


def main(path: str) -> None:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    tickets = embedclf.EmbeddedTexts(
        [row["text"] for row in rows], [row["label"] for row in rows], embedder="wordllama"
    )
    answers = embedclf.cross_validate(tickets, folds=5)  # the texts are embedded once

    lab = Datalab({"text": tickets.texts, "label": tickets.labels}, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=answers.probabilities, features=tickets.vectors)
    print(lab.get_issue_summary().to_string(index=False))

    wrong = lab.get_issues("label").query("is_label_issue").sort_values("label_score")
    for row in wrong.index[:5]:
        print(f"{tickets.labels[row]} -> {wrong.predicted_label[row]}: {tickets.texts[row]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
