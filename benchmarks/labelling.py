"""What a person who labels meets: how soon, how smoothly, how many labels are needed, and whether the advice is right.

    python benchmarks/labelling.py --banking77 FOLDER

FOLDER is that of quality.py; without it, the support tickets take its place. All vectors are WordLlama's.

1. From embedded texts to the first question, with 50,000 rows; those of the set, and copies of them with a word more.
2. How long an answer and the next question take while a classifier trains in the background, and how long the same
   takes without one, which is what the disk and other programs are to blame for. How long a training takes.
3. The accuracy on test rows by the number of labels, in the order of suggestions and at random: someone who answers
   with the labels of the file.
4. What the advice says after each hundred labels, and what labelling on would have brought where it says that one
   could stop. It is also compared with what really changed, on test rows.
"""

import argparse
import json
import logging
import random
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from quality import DATASETS, Rows, read

from embedclf.embedding.embedded_texts import EmbeddedTexts
from embedclf.labelling.advice import change_between
from embedclf.labelling.answers import AnswersFile
from embedclf.labelling.learner import BackgroundLearner
from embedclf.labelling.learning import Learning
from embedclf.labelling.session import Session
from embedclf.labelling.suggested import SuggestedOrder
from embedclf.labelling.trainings import NameVectors, predicted_labels, train_on_rows
from embedclf.training.recipe import Recipe

N_ROWS = 50_000
ANSWERS, SECONDS_TO_THINK = 200, 0.2
FIRST, STEP = (25, 50), 100
SHOWN = (50, 100, 200, 300, 500, 700, 1_000, 1_500, 2_000)


def many(rows: Rows, n: int) -> tuple[list[str], list[str]]:
    """Return n texts with their labels: those of the set, and copies with a word of another text put in somewhere."""
    draw = random.Random(0)
    texts, labels = list(rows.texts), list(rows.labels)
    while len(texts) < n:
        number = draw.randrange(len(rows.texts))
        words = rows.texts[number].split()
        words.insert(draw.randrange(len(words) + 1), draw.choice(draw.choice(rows.texts).split()))
        texts.append(" ".join(words))
        labels.append(rows.labels[number])
    return texts[:n], labels[:n]


def shown(milliseconds: list[float]) -> str:
    p50, p95 = np.percentile(milliseconds, (50, 95))
    return f"p50 {p50:.1f}, p95 {p95:.1f}, max {max(milliseconds):.1f} ms"


def label_by_keys(rows: Rows, n: int, answers: int, think: float) -> None:
    """Start on n rows, and answer while classifiers are trained; then answer as many without any."""
    texts, labels = many(rows, n)
    began = time.perf_counter()
    embedded = EmbeddedTexts(texts)
    _ = embedded.vectors
    print(f"{n:,} rows: embedded in {time.perf_counter() - began:.1f} s", end="", flush=True)
    for with_learner in (True, False):
        with tempfile.TemporaryDirectory() as folder, AnswersFile(Path(folder) / "labelled.csv") as file:
            began = time.perf_counter()
            order = SuggestedOrder(embedded)
            learner = BackgroundLearner(embedded) if with_learner else None
            if learner is not None:
                learner.follow(order.refresh)
            session = Session(texts, [None] * len(texts), file, order, learner)
            question = session.ask("window")
            if with_learner:
                print(f", the first question {time.perf_counter() - began:.2f} s later")
            took, of_progress, busy = [], [], 0
            for _ in range(answers):
                time.sleep(think)
                busy += learner is not None and learner.is_learning
                began = time.perf_counter()
                question = session.answer("window", question.row, (labels[question.row],), revision=question.revision)
                took.append(1_000 * (time.perf_counter() - began))
                began = time.perf_counter()
                session.progress()
                of_progress.append(1_000 * (time.perf_counter() - began))
            if learner is not None:
                n_labels = learner.curve[-1].n_labels if learner.curve else 0
                print(f"  {busy} of {answers} answers while it trained, the last time on {n_labels} labels")
                learner.close()
            print(f"  {'with' if with_learner else 'without'} a learner: answer to next question {shown(took)}")
            print(f"  {'':14} progress {shown(of_progress)}")
    print(f"  at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024:.0f} MB", flush=True)


def train_again(rows: Rows) -> None:
    """Train on some random rows, with settings that are chosen and with those chosen before."""
    texts = EmbeddedTexts(list(rows.texts), vectors=rows.vectors)
    shuffled = np.random.default_rng(0).permutation(len(rows.texts)).tolist()
    for n in (100, 300, 1_000):
        labels = {row: (str(rows.labels[row]),) for row in shuffled[:n]}
        took, kept = [], None
        for _ in range(2):
            began = time.process_time()
            kept = train_on_rows(texts, labels, Recipe(), NameVectors(texts), several=False, kept=kept).settings
            took.append(time.process_time() - began)
        print(
            f"  a training on {n:,} rows: {took[0]:.2f} s of one core, {took[1]:.2f} s with the settings chosen before"
        )


def label_all(train: Rows, test: Rows, most: int, way: str, seed: int) -> list[dict]:
    """Label in an order, and return after each training what is said, and what is true on the test rows."""
    logging.getLogger("embedclf").setLevel(logging.ERROR)
    texts = EmbeddedTexts(list(train.texts), vectors=train.vectors)
    others = EmbeddedTexts(list(test.texts), vectors=test.vectors)
    known = [(label,) for label in test.labels]
    order = SuggestedOrder(texts, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(len(train.texts)).tolist()
    # Another fifth as many random rows, for what a test set of them would say.
    kept = set(np.random.default_rng([seed, 1]).permutation(len(train.texts))[:300].tolist())
    learning = Learning(texts, seed=seed)
    labels: dict[int, tuple[str, ...]] = {}
    found, trainings = [], []
    for n in [*FIRST, *range(STEP, most + 1, STEP)]:
        while len(labels) < n:
            is_open = lambda row: row not in labels and row not in kept  # noqa: E731
            if way == "suggest":
                row, _ = order.next(is_open)
            else:
                row = next(row for row in shuffled if is_open(row))
            labels[row] = (str(train.labels[row]),)
        learning.learn(labels, {})
        training = learning.learned.training
        if training is None:
            continue
        order.refresh(training, labels)
        answers = predicted_labels(training.classifier, others, range(len(known)))
        right = np.array([a == b for a, b in zip(known, answers, strict=True)])
        one = {"n": n, "accuracy": float(right.mean()), "advice": learning.learned.advice}
        if learning.learned.curve:
            one["out_of_fold"] = learning.learned.curve[-1].accuracy
        if trainings and n > STEP:
            before, right_before = trainings[-1]
            one["really"] = float(right.mean() - right_before)
            of_test = {row: (str(train.labels[row]),) for row in kept}
            for name, test_rows in (("labelled", {}), ("test", of_test)):
                change = change_between(before, training, texts, labels, test_rows, several=False)
                one[name] = [change.difference, *change.difference_interval]
        found.append(one)
        if n >= STEP:
            trainings.append((training, float(right.mean())))
    return found


def say(name: str, runs: dict[str, list[list[dict]]]) -> None:
    """Print the curves, and how good the advice was."""
    sizes = [one["n"] for one in runs["suggest"][0]]
    chosen = [n for n in SHOWN if n in sizes]
    print(f"{name}, {len(runs['suggest'])} seeds: accuracy on test rows by number of labels")
    print(f"{'':12}" + "".join(f"{n:>8,}" for n in chosen))
    means = {}
    for way, each in runs.items():
        means[way] = np.mean([[one["accuracy"] for one in run] for run in each], axis=0)
        print(f"{way:12}" + "".join(f"{100 * means[way][sizes.index(n)]:>8.1f}" for n in chosen))
    for way, each in runs.items():
        of_fold = [np.mean([run[sizes.index(n)].get("out_of_fold", np.nan) for run in each]) for n in chosen]
        print(f"{'  out of fold':12}" + "".join(f"{100 * one:>8.1f}" for one in of_fold) + f"  ({way})")
    for target in np.arange(0.6, 1, 0.05):
        needed = []
        for way in runs:
            above = np.flatnonzero(means[way] >= target)
            if not len(above) or not above[0]:
                break
            after = above[0]
            (low, high), (x, y) = means[way][after - 1 : after + 1], sizes[after - 1 : after + 1]
            needed.append(f"{way} {x + (target - low) / (high - low) * (y - x):,.0f}")
        else:
            print(f"  labels for {target:.0%}: {', '.join(needed)}")
    for way, each in runs.items():
        judge(way, each)


def judge(way: str, each: list[list[dict]]) -> None:
    steps = [one for run in each for one in run if "really" in one]
    for name in ("labelled", "test"):
        errors = [100 * (one[name][0] - one["really"]) for one in steps]
        inside = np.mean([one[name][1] <= one["really"] <= one[name][2] for one in steps])
        print(
            f"  {way}, change by 100 labels on {name} rows less the real one: {np.mean(errors):+.1f} points "
            f"(mean absolute {np.mean(np.abs(errors)):.1f}); inside the interval {inside:.0%}"
        )
    stops, lost, lost_next = [], [], []
    for run in each:
        stop = next((number for number, one in enumerate(run) if "could stop" in one["advice"]), None)
        if stop is not None:
            stops.append(run[stop]["n"])
            lost.append(100 * (run[-1]["accuracy"] - run[stop]["accuracy"]))
            lost_next.append(100 * (run[min(stop + 1, len(run) - 1)]["accuracy"] - run[stop]["accuracy"]))
    if stops:
        print(
            f"  {way}, told to stop in {len(stops)} of {len(each)} runs, at {', '.join(map(str, stops))} labels; the "
            f"next hundred brought {np.mean(lost_next):+.1f} points, all up to {each[0][-1]['n']:,} "
            f"{np.mean(lost):+.1f}"
        )
    else:
        print(f"  {way}, told to stop in none of {len(each)} runs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, metavar="FOLDER", help="without it, only datasets/*.csv")
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--answers", type=int, default=ANSWERS, help="0 leaves out the first two parts")
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=2, help="0 leaves out the last two parts")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what is found as JSON")
    args = parser.parse_args()
    name, folder = "support_tickets", DATASETS
    files = [folder / f"{name}.csv", folder / f"{name}_test.csv"]
    if args.banking77 is not None:
        name = "Banking77"
        files = [args.banking77 / f"banking77_{part}.csv" for part in ("train", "test")]
    train, test = map(read, files)
    if args.answers:
        label_by_keys(train, args.rows, args.answers, SECONDS_TO_THINK)
        train_again(train)
    if not args.seeds:
        return
    most = min(args.labels, (len(train.texts) - 300) // STEP * STEP)
    tasks = [(way, seed) for seed in range(args.seeds) for way in ("suggest", "random")]
    each = Parallel(n_jobs=args.jobs)(delayed(label_all)(train, test, most, *task) for task in tasks)
    runs: dict[str, list[list[dict]]] = {"suggest": [], "random": []}
    for (way, _), run in zip(tasks, each, strict=True):
        runs[way].append(run)
    if args.record is not None:
        args.record.write_text(json.dumps(runs))
    say(name, runs)


if __name__ == "__main__":
    main()
