"""What `embedclf check` finds of what was planted, and how long it takes.

    python benchmarks/check.py --banking77 FOLDER

FOLDER holds banking77_train.csv and banking77_test.csv with the columns text and label (Casanueva et al., "Efficient
Intent Detection with Dual Sentence Encoders", 2020; 10,003 and 3,080 rows). All vectors are WordLlama's; label errors
need embedclf[check].
"""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.quality.data_check import plain_check
from embedclf.quality.distinct_texts import DistinctTexts
from embedclf.quality.near_duplicates import near_duplicates

EMBEDDER = embedclf.open_embedder("wordllama")


def typo(text: str, rng: random.Random) -> str:
    """Swap two different neighbouring letters."""
    places = [at for at in range(len(text) - 1) if text[at : at + 2].isalpha() and text[at] != text[at + 1]]
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def one_more_word(text: str, rng: random.Random) -> str:
    words = text.split()
    words.insert(rng.randint(0, len(words)), rng.choice(["please", "really", "today", "hello", "actually"]))
    return " ".join(words)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "all in capitals": lambda text, _: text.upper(),
    "without punctuation": lambda text, _: "".join(c for c in f"{text}!!" if c.isalnum() or c.isspace()) + " ...",
    "two letters swapped": typo,
    "one word added": one_more_word,
}


def flipped_labels(texts: list[str], labels: list[str], vectors: np.ndarray, share: float, draws: int) -> None:
    classes = sorted(set(labels))
    clean = embedclf.check(texts, labels, embedder=EMBEDDER, vectors=vectors).of("label_errors")
    print(f"nothing flipped: {len(clean)} of {len(texts):,} labels are listed", flush=True)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        chosen = set(rng.choice(len(labels), round(share * len(labels)), replace=False).tolist())
        flipped = [
            str(rng.choice([name for name in classes if name != label])) if row in chosen else label
            for row, label in enumerate(labels)
        ]
        listed = embedclf.check(texts, flipped, embedder=EMBEDDER, vectors=vectors).of("label_errors")
        found = [one for one in listed if one.row in chosen]
        first = sum(one.row in chosen for one in listed[: len(chosen)])
        right = sum(one.suggested == labels[one.row] for one in found)
        print(
            f"draw {seed}: {len(chosen)} flipped, {len(found)} of them listed ({first} among the first {len(chosen)}), "
            f"{right} with the right label suggested; the list has {len(listed)}",
            flush=True,
        )


def near_copies(texts: list[str]) -> None:
    distinct = list(dict.fromkeys(texts))
    chosen = random.Random(0).sample(range(len(distinct)), 100)  # the same choice each time
    for name, change in KINDS.items():
        rng = random.Random(1)
        copies = [change(distinct[row], rng) for row in chosen]
        both = list(dict.fromkeys([*distinct, *copies]))
        rows = DistinctTexts(np.arange(len(both)), both, [""] * len(both), EMBEDDER.embed(both))
        listed = near_duplicates(rows, rows.nearest_others())
        found = sum(one.row >= len(distinct) for one in listed)
        print(f"{name}: {found} of {len(both) - len(distinct)} copies listed; of the others {len(listed) - found:,}")


def times(texts: list[str], labels: list[str]) -> None:
    def seconds(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    plain = seconds(lambda: plain_check(texts, labels, against=None, embedder=EMBEDDER))
    print(f"{len(texts):,} rows, what needs no vectors: {plain:.2f} s", flush=True)
    vectors = EMBEDDER.embed(texts)
    unlabelled = seconds(lambda: embedclf.check(texts, embedder=EMBEDDER, vectors=vectors))
    print(f"{len(texts):,} rows with their vectors, no labels: {unlabelled:.1f} s", flush=True)

    long = [f"{number} " + " ".join(texts[number : number + 100]) for number in range(2_000)]
    rows = DistinctTexts(np.arange(len(long)), long, [""] * len(long), EMBEDDER.embed(long))
    near = rows.nearest_others()
    took = seconds(lambda: near_duplicates(rows, near))
    mean = np.mean([len(text) for text in long])
    print(f"{len(long):,} texts of {mean:,.0f} characters, near to each other: {took:.2f} s for near-duplicates")

    n = 50_000
    rng = np.random.default_rng(0)
    many = rng.standard_normal((n, vectors.shape[1]), dtype=np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    rows = DistinctTexts(np.arange(n), [f"text {row}" for row in range(n)], [""] * n, many)
    took = seconds(lambda: near_duplicates(rows, rows.nearest_others()))
    print(f"{n:,} rows, neighbours and near-duplicates: {took:.0f} s", flush=True)

    whole = seconds(lambda: embedclf.check(texts, labels, embedder=EMBEDDER, vectors=vectors))
    folds = seconds(lambda: embedclf.cross_validate(texts, labels, vectors=vectors))
    print(
        f"{len(texts):,} rows with labels: {whole:.1f} s, {whole / folds:.2f} x cross-validation ({folds:.1f} s)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--share", type=float, default=0.05, help="of the labels that are flipped")
    parser.add_argument("--draws", type=int, default=3)
    args = parser.parse_args()

    train, test = (read_corpus(args.banking77 / f"banking77_{part}.csv") for part in ("train", "test"))
    near_copies(test.texts)
    flipped_labels(test.texts, test.labels, EMBEDDER.embed(test.texts), args.share, args.draws)
    times(train.texts, train.labels)


if __name__ == "__main__":
    main()
