"""How often the verdicts of `embedclf diff`, and the gate of `embedclf evaluate`, are false, or cannot tell.

    python benchmarks/verdicts.py --banking77 FOLDER

FOLDER is that of quality.py. Two classifiers are trained on random halves of the training rows; the test rows are the
population. A trial draws rows from it, with replacement, and swaps the answers of both classifiers to each row by a
coin, so that neither is better: an A/A trial. With a coin that is not fair, the true difference is as large as wanted.
"""

import argparse
import logging
from collections import Counter
from pathlib import Path

import numpy as np
from quality import DATASETS, EMBEDDER, Rows, read

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.evaluation.answered_rows import LabelledRows, RowAnswers, answers_to, labelled_rows
from embedclf.evaluation.changes import answers_of
from embedclf.evaluation.diffing import MARGIN, _change_of_macro_f1
from embedclf.stats.intervals import interval_of_mean
from embedclf.stats.verdicts import outcome_of_floor, verdict_on

SIZES = (25, 50, 100, 250, 500, 1_000, 3_000)
DIFFERENCES = (0.01, 0.02, 0.05)
VERDICTS = ("better", "worse", "no difference", "cannot tell")


class Pair:
    """Two classifiers' answers to the rows of a population."""

    def __init__(self, name: str, rows: LabelledRows, old: RowAnswers, new: RowAnswers) -> None:
        self.name, self.rows, self.old, self.new = name, rows, old.chosen, new.chosen
        self.differ = (self.old != self.new).reshape(len(self.old), -1).any(axis=1)
        if rows.are_several:
            self.gain = np.zeros(len(self.old), dtype=int)
        else:
            self.gain = (self.new == rows.given).astype(int) - (self.old == rows.given)

    def draw(self, rng: np.random.Generator, n: int, difference: float, copies: bool) -> tuple[np.ndarray, ...]:
        """Return labels, both answers, and groups of drawn rows, whose new answers are better by a difference."""
        own = rng.integers(len(self.old), size=n)
        groups = np.arange(n)
        discordant = (self.gain != 0).mean()
        better = 0.5 + (difference / (2 * discordant) if difference else 0)
        wants_better = rng.random(n) < better
        swapped = np.where(self.gain[own] == 0, rng.random(n) < 0.5, (self.gain[own] > 0) != wants_better)
        if copies:  # a third of the texts occur two to five times
            times = np.where(rng.random(n) < 1 / 3, rng.integers(2, 6, size=n), 1)
            kept = np.repeat(np.arange(n), times)[:n]
            own, groups, swapped = own[kept], groups[kept], swapped[kept]
        flip = swapped[:, None] if self.rows.are_several else swapped
        old, new = self.old[own], self.new[own]
        return self.rows.given[own], np.where(flip, new, old), np.where(flip, old, new), groups

    def main(self, given: np.ndarray, old: np.ndarray, new: np.ndarray, groups: np.ndarray):
        """Return the change of the figure that the verdict is about."""
        if not self.rows.are_several:
            return answers_of([""] * len(given), (), new == given, groups, old == given).figures()[0]
        names = self.rows.names
        labels = [tuple(names[place] for place in np.flatnonzero(one)) for one in given]
        both = answers_of(labels, names, new == given, groups, old == given)
        return both.of_rows("micro-F1", np.ones(len(given), dtype=bool))


def pair_of(name: str, train: Rows, test: Rows, several: bool = False) -> Pair:
    order = np.random.default_rng(0).permutation(len(train.texts))
    half = len(order) // 2
    both = [
        train[order[part]].train(holdout=0, seed=seed) for seed, part in enumerate((slice(half), slice(half, None)))
    ]
    return pair(name, both, test.texts.tolist(), test.labels.tolist(), test.vectors)


def pair(name: str, both: list[embedclf.TextClassifier], texts: list[str], labels: list, vectors: np.ndarray) -> Pair:
    rows = labelled_rows(texts, labels, both)
    return Pair(name, rows, *(answers_to(rows, one, vectors) for one in both))


def several() -> Pair:
    train, test = (read_corpus(DATASETS / f"hotel_reviews{end}.csv", label_separator="|") for end in ("", "_test"))
    order = np.random.default_rng(0).permutation(len(train.texts))
    both = [
        embedclf.train(
            [train.texts[row] for row in part], [train.label_sets[row] for row in part], embedder=EMBEDDER, holdout=0
        )
        for part in np.array_split(order, 2)
    ]
    return pair("hotel_reviews, micro-F1", both, test.texts, test.label_sets, EMBEDDER.embed(test.texts))


def verdicts(pair: Pair, n: int, trials: int, difference: float = 0.0, copies: bool = False) -> Counter:
    rng, found = np.random.default_rng([n, trials, round(1_000 * difference)]), Counter()
    for _ in range(trials):
        change = pair.main(*pair.draw(rng, n, difference, copies))
        found[verdict_on(change.difference_interval, MARGIN)] += 1
    return found


def show(title: str, n: int, found: Counter, trials: int) -> None:
    shares = "".join(f"{found[one] / trials:>15.1%}" for one in VERDICTS)
    print(f"{title:<14}{n:>7,}{shares}", flush=True)


def header(title: str) -> None:
    print(f"\n{title}\n{'':<14}{'rows':>7}{''.join(f'{one:>15}' for one in VERDICTS)}", flush=True)


def same(pairs: list[Pair], trials: int) -> None:
    for one in pairs:
        accuracies = "" if one.rows.are_several else f", accuracies {np.mean(one.old == one.rows.given):.3f} and "
        accuracies += "" if one.rows.are_several else f"{np.mean(one.new == one.rows.given):.3f}"
        header(f"{one.name}: A/A trials; {one.differ.mean():.1%} of answers differ{accuracies}")
        for n in SIZES:
            few = trials // 5 if one.rows.are_several else trials
            show("no copies", n, verdicts(one, n, few), few)
            show("copies", n, verdicts(one, n, few, copies=True), few)


def power(pairs: list[Pair], trials: int) -> None:
    for one in pairs:
        if not one.rows.are_several:
            header(f"{one.name}: a true difference")
            for difference in DIFFERENCES:
                if difference > (one.gain != 0).mean():
                    continue
                for n in SIZES[2:]:
                    show(f"{100 * difference:g} points", n, verdicts(one, n, trials, difference), trials)


def macro(pairs: list[Pair], trials: int) -> None:
    print(f"\nmacro-F1 said to have clearly changed in A/A trials\n{'':<26}{'rows':>7}{'higher':>9}{'lower':>9}")
    for one in pairs:
        if one.rows.are_several:
            continue
        for n in (100, 250, 1_000, 3_000):
            rng, found = np.random.default_rng(n), Counter()
            for _ in range(trials):
                given, old, new, groups = one.draw(rng, n, 0.0, False)
                change = _change_of_macro_f1(len(one.rows.names), given, new, old, groups)
                found[change.is_clear and np.sign(change.difference)] += 1
            print(f"{one.name:<26}{n:>7,}{found[1] / trials:>9.1%}{found[-1] / trials:>9.1%}", flush=True)


def gate(pairs: list[Pair], trials: int) -> None:
    print("\nthe gate, where the true accuracy is the floor, or 2 points above or below it")
    print(f"{'':<26}{'floor':>7}{'rows':>7}{'passes':>9}{'fails':>9}{'cannot tell':>13}")
    for one in pairs:
        if one.rows.are_several:
            continue
        right = one.new == one.rows.given
        for above in (0.0, 0.02, -0.02):
            for n in (100, 250, 1_000, 3_000):
                rng, found = np.random.default_rng(n), Counter()
                for _ in range(trials):
                    interval = interval_of_mean(right[rng.integers(len(right), size=n)])
                    found[outcome_of_floor(interval, right.mean() - above)] += 1
                shares = f"{found['passes'] / trials:>9.1%}{found['fails'] / trials:>9.1%}"
                print(f"{one.name:<26}{-above:>+7.2f}{n:>7,}{shares}{found['cannot tell'] / trials:>13.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, metavar="FOLDER")
    parser.add_argument("--trials", type=int, default=2_000)
    args = parser.parse_args()
    logging.getLogger("embedclf").addHandler(logging.NullHandler())

    pairs = [pair_of("support_tickets", *(read(DATASETS / f"support_tickets{end}.csv") for end in ("", "_test")))]
    if args.banking77 is not None:
        pairs.append(
            pair_of("Banking77", *(read(args.banking77 / f"banking77_{part}.csv") for part in ("train", "test")))
        )
    pairs.append(several())
    same(pairs, args.trials)
    power(pairs, args.trials)
    gate(pairs, args.trials)
    macro(pairs, args.trials // 5)


if __name__ == "__main__":
    main()
