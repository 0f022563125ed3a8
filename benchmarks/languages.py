"""Words, vectors or both, for texts in languages that WordLlama does not know.

    python benchmarks/languages.py

The German and the Japanese messages of datasets/, and as many English support tickets of four labels for comparison,
cross-validated with 5 folds, repeated. All vectors are WordLlama's.
"""

import argparse
from pathlib import Path

import embedclf
from embedclf.data.corpus import read_corpus

DATASETS = Path(__file__).parent.parent / "datasets"
FEATURES = ("embedding", "words", "both", "auto")
ENGLISH = ("billing", "delivery", "privacy", "technical_issue")
ROWS_A_LABEL = 21


def english() -> list[tuple[str, str]]:
    corpus = read_corpus(DATASETS / "support_tickets.csv")
    pairs = list(zip(corpus.texts, corpus.labels, strict=True))
    return [pair for label in ENGLISH for pair in [one for one in pairs if one[1] == label][:ROWS_A_LABEL]]


def messages(language: str) -> list[tuple[str, str]]:
    corpus = read_corpus(DATASETS / f"{language}_messages.csv")
    return list(zip(corpus.texts, corpus.labels, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()

    embedder = embedclf.open_embedder("wordllama")
    for language, rows in (("German", messages("german")), ("Japanese", messages("japanese")), ("English", english())):
        texts, labels = zip(*rows, strict=True)
        for features in FEATURES:
            used = None if features == "words" else embedder
            found = embedclf.cross_validate(texts, labels, embedder=used, features=features, repeats=args.repeats)
            low, high = found.accuracy_interval
            print(
                f"{language}, {features}: accuracy {found.accuracy:.3f} ({low:.3f} to {high:.3f}), "
                f"log loss {found.log_loss:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
