"""Training: the quality on texts not seen, with the same WordLlama vectors, and the time that fitting takes by rows."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measuring import Curve, Figures, Setting, SideError, Step, grow, in_a_process, in_turn, report, say

TICKETS = Path(__file__).parent.parent.parent / "datasets"
_LONGER = 5  # times the budget, for the quality of what does not fit into it

# Texts and their probabilities, by columns that are in the order of the sorted labels.
Predict = Callable[[Sequence[str], np.ndarray], np.ndarray]
Fit = Callable[[list[str], np.ndarray, list[str]], Predict]


def ours(head: str) -> Fit:
    def fit(texts: list[str], vectors: np.ndarray, labels: list[str]) -> Predict:
        import embedclf

        made = embedclf.train(texts, labels, vectors=vectors, embedder="wordllama", head=head, features="embedding")
        return lambda texts, vectors: made.model.probabilities(vectors)

    return fit


def logistic(texts: list[str], vectors: np.ndarray, labels: list[str]) -> Predict:
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression().fit(vectors, labels)
    return lambda texts, vectors: made.predict_proba(vectors)


def logistic_cv(texts: list[str], vectors: np.ndarray, labels: list[str]) -> Predict:
    from sklearn.linear_model import LogisticRegressionCV

    made = LogisticRegressionCV().fit(vectors, labels)
    return lambda texts, vectors: made.predict_proba(vectors)


def tfidf(texts: list[str], vectors: np.ndarray, labels: list[str]) -> Predict:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    made = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    return lambda texts, vectors: made.predict_proba(texts)


SIDES: dict[str, Fit] = {
    "embedclf": ours("logistic"),
    "embedclf, centroid": ours("centroid"),
    "LogisticRegression": logistic,
    "LogisticRegressionCV": logistic_cv,
    "TF-IDF + LogisticRegression": tfidf,
}


def measure(setting: Setting) -> dict[str, object]:
    scratch = setting.scratch / "training"
    scratch.mkdir()
    sets = {"support tickets": (TICKETS / "support_tickets.csv", TICKETS / "support_tickets_test.csv")}
    if setting.banking77 is not None:
        sets["Banking77"] = tuple(setting.banking77 / f"banking77_{part}.csv" for part in ("train", "test"))
    quality = {}
    for name, paths in sets.items():
        say(f"  Quality: {name}")
        for path, part in zip(paths, ("train", "test"), strict=True):
            _save(scratch / part, *_read(path))
        quality[name] = {
            side: {"failed": str(found)} if isinstance(found, SideError) else found
            for side, found in in_turn(
                {
                    side: lambda side=side: in_a_process(
                        [sys.executable, __file__, side, str(scratch / "train"), str(scratch / "test")],
                        setting,
                        _LONGER,
                    )
                    for side in SIDES
                }
            ).items()
        }
    rows = _read(paths[0])

    def run(side: str, n: int) -> Figures:
        place = scratch / f"made-{n}"
        if not place.with_suffix(".json").exists():
            _save(place, *more_rows(*rows, n))
        return in_a_process([sys.executable, __file__, side, str(place)], setting)

    curves = [Curve(side, [Step("fit", lambda n, side=side: run(side, n))]) for side in SIDES]
    return {"quality": quality, "rows_of": name, "sides": grow(curves, setting)}


def more_rows(texts: list[str], labels: list[str], n: int) -> tuple[list[str], list[str]]:
    """Draw rows, and make those beyond of two of one label: the first half of the one, the second of the other."""
    random = np.random.default_rng(0)
    order = random.permutation(len(texts))[:n]
    made = [texts[row] for row in order], [labels[row] for row in order]
    of_label = {label: np.flatnonzero(np.array(labels) == label) for label in set(labels)}
    for row in random.integers(len(texts), size=n - len(order)):
        label = labels[row]
        words, others = texts[row].split(), texts[random.choice(of_label[label])].split()
        made[0].append(" ".join([*words[: (len(words) + 1) // 2], *others[len(others) // 2 :]]))
        made[1].append(label)
    return made


def _read(path: Path) -> tuple[list[str], list[str]]:
    from embedclf.data.corpus import read_corpus

    corpus = read_corpus(path)
    return list(corpus.texts), list(corpus.labels)


def _save(place: Path, texts: list[str], labels: list[str]) -> None:
    import embedclf

    np.save(place.with_suffix(".npy"), embedclf.open_embedder("wordllama").embed(texts))
    place.with_suffix(".json").write_text(json.dumps([texts, labels]))


def _load(place: str) -> tuple[list[str], np.ndarray, list[str]]:
    texts, labels = json.loads(Path(f"{place}.json").read_text())
    return texts, np.load(f"{place}.npy"), labels


def main(side: str, train: str, test: str | None = None) -> None:
    import sklearn.feature_extraction.text
    import sklearn.linear_model  # noqa: F401

    from embedclf import open_embedder
    from embedclf.stats import metrics
    from embedclf.training import trainer  # noqa: F401

    open_embedder("wordllama").embed(["one that loads it"])
    texts, vectors, labels = _load(train)
    found: dict[str, Predict] = {}

    def work() -> None:
        found["predict"] = SIDES[side](texts, vectors, labels)

    if test is None:
        report(work)
        return
    tests, test_vectors, test_labels = _load(test)

    def quality() -> Figures:
        probabilities = found["predict"](tests, test_vectors)
        names = sorted(set(labels))
        right = np.array([names.index(label) for label in test_labels])
        given, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        return {
            "accuracy": metrics.accuracy(right, given),
            "macro_f1": metrics.macro_f1(metrics.per_class(right, given, names)),
            "log_loss": metrics.log_loss(right, probabilities),
            "calibration_error": metrics.expected_calibration_error(right == given, confidence),
        }

    report(work, quality)


if __name__ == "__main__":
    main(*sys.argv[1:])
