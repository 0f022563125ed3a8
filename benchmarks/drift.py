"""Whether drift calls texts changed that are not, and whether it finds a new subject that few texts have.

    python benchmarks/drift.py --banking77 FOLDER

Equal halves: rows drawn at random from one file and divided at random. A new subject: rows of one label that the old
file has none of, mixed into the new one, for some of the labels of Banking77 that have enough rows; and how large a
neighbourhood it takes to find one. FOLDER is that of quality.py; all vectors are WordLlama's.
"""

import argparse
import csv
import logging
import resource
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config

import embedclf
from embedclf.data.corpus import read_corpus
from embedclf.exploration import local_shares
from embedclf.stats.intervals import interval_of_mean

DATASETS = Path(__file__).parents[1] / "datasets"
SIZES = (100, 500, 2_500)
NEIGHBOURHOODS = (5, 10, 20, 50, 100)
FILES = ("Banking77", "tickets", "Banking77, many repeated")
PARTS = ("halves", "subjects", "neighbourhoods", "speed")


def quietly(new: list[str], old: list[str], vectors: np.ndarray, seed: int) -> "embedclf.Drift":
    logging.getLogger("embedclf").setLevel(logging.ERROR)
    with parallel_config(n_jobs=1):
        return embedclf.drift(new, old, vectors=vectors, seed=seed)


def compare(texts: list[str], vectors: np.ndarray, rows: np.ndarray, n_new: int, seed: int) -> "embedclf.Drift":
    chosen = [texts[row] for row in rows]
    return quietly(chosen[:n_new], chosen[n_new:], vectors[rows], seed)


def halves(texts: list[str], vectors: np.ndarray, n_new: int, n_old: int, seed: int, *, repeated: bool = False):
    """Compare rows drawn at random; if repeated, with replacement, some texts far more often than others."""
    rng = np.random.default_rng(seed)
    if repeated:
        shares = 1 / np.arange(1, len(texts) + 1)
        rows = rng.permutation(len(texts))[rng.choice(len(texts), n_new + n_old, p=shares / shares.sum())]
    else:
        rows = rng.permutation(len(texts))[: n_new + n_old]
    return compare(texts, vectors, rows, n_new, seed)


def rows_with(labels: np.ndarray, n: int, share: float, label: str) -> np.ndarray:
    """Draw n new rows, of which a share has a label and comes first, and n old ones that have other labels."""
    rng = np.random.default_rng(0)
    n_of_label = round(share * n)
    own = rng.permutation(np.flatnonzero(labels == label))[:n_of_label]
    return np.concatenate([own, rng.permutation(np.flatnonzero(labels != label))[: 2 * n - n_of_label]])


def mixed(texts: list[str], labels: np.ndarray, vectors: np.ndarray, n: int, share: float, label: str):
    """Compare n new rows, of which a share has a label that none of the n old ones has."""
    n_of_label = round(share * n)
    found = compare(texts, vectors, rows_with(labels, n, share, label), n, seed=0)
    of_label = sum(place < n_of_label for place, group in enumerate(found.group_of) if group is not None)
    return found, of_label, sum(group is not None for group in found.group_of)


def p_value(vectors: np.ndarray, n_new: int, size: int) -> float:
    local_shares.SIZES = (size,)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return local_shares.local_shares(unit, np.arange(len(unit)) < n_new, seed=0).p_value


def labels_with(labels: np.ndarray, least: int, most: int) -> list[str]:
    """Return some of the labels that have enough rows."""
    chosen = [name for name, count in zip(*np.unique(labels, return_counts=True), strict=True) if count >= least]
    return chosen[:: max(1, len(chosen) // most)][:most]


def shown(changed: list[bool]) -> str:
    low, high = interval_of_mean(np.array(changed))
    return f"{sum(changed)} of {len(changed)} ({100 * np.mean(changed):.1f} %, {100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=200, help="per size; a quarter of them for the largest")
    parser.add_argument("--halves-of", choices=FILES, action="append")
    parser.add_argument("--labels", type=int, default=25, help="how many are a new subject at the most")
    parser.add_argument("--part", choices=PARTS, action="append")
    asked = parser.parse_args()
    parts = asked.part or PARTS
    run = Parallel(n_jobs=-1)
    with (asked.banking77 / "banking77_train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    banking, labels = [row["text"] for row in rows], np.array([row["label"] for row in rows])
    tickets = read_corpus(DATASETS / "support_tickets.csv", labels="optional", skip_bad_rows=True).texts
    vectors_of = {id(one): embedclf.EmbeddedTexts(one, embedder="wordllama").vectors for one in (banking, tickets)}
    if "halves" in parts:
        print("equal halves called changed")
        kinds = [(FILES[0], banking, n, n) for n in SIZES] + [(FILES[0], banking, 200, 5_000)]
        kinds += [(FILES[1], tickets, n, n) for n in SIZES if 2 * n <= len(tickets)]
        kinds += [(FILES[2], banking, n, n) for n in SIZES[1:]] + [(FILES[2], banking, 500, 5_000)]
        of_all: list[bool] = []
        for name, texts, n_new, n_old in kinds:
            if name not in (asked.halves_of or FILES):
                continue
            n = asked.trials if n_new + n_old <= 1_000 else max(2, asked.trials // 4)
            found = run(
                delayed(halves)(texts, vectors_of[id(texts)], n_new, n_old, seed, repeated=name == FILES[2])
                for seed in range(n)
            )
            by_auroc = sum(one.auroc_interval.low > 0.5 for one in found if one.auroc_interval)
            by_place = sum((one.p_value or 1) <= 0.025 for one in found)
            mean = np.mean([one.auroc for one in found if one.auroc])
            changed = [one.verdict == "changed" for one in found]
            of_all += changed
            unknown = sum(one.verdict == "cannot tell" for one in found)
            print(f"{name}, {n_new:,} + {n_old:,}: {shown(changed)}; by AUROC {by_auroc}, ", end="")
            print(f"by neighbourhoods {by_place}; mean AUROC {mean:.4f}; cannot tell {unknown}", flush=True)
        error = np.std(of_all) / np.sqrt(len(of_all))
        print(f"all: {shown(of_all)}; standard error {100 * error:.1f} points", flush=True)
    if "subjects" in parts:
        print("a new subject found")
        for n, share in ((4_900, 0.02), (1_000, 0.05), (4_900, 0.01)):
            chosen = labels_with(labels, round(share * n), asked.labels)
            found = run(delayed(mixed)(banking, labels, vectors_of[id(banking)], n, share, name) for name in chosen)
            right = sum(of_label for _, of_label, _ in found) / max(1, sum(grouped for *_, grouped in found))
            changed = [one.verdict == "changed" for one, *_ in found]
            by_auroc = sum(one.auroc_interval.low > 0.5 for one, *_ in found)
            median = np.median([of_label for _, of_label, _ in found])
            print(f"{100 * share:g} % of {n:,}: {shown(changed)}; by AUROC alone {by_auroc}; ", end="")
            print(f"rows in groups: {median:g} of {round(share * n)} (median), {100 * right:.0f} % rightly", flush=True)
            missed = [name for name, one in zip(chosen, changed, strict=True) if not one]
            print(f"  missed: {', '.join(missed) or 'none'}", flush=True)
    if "neighbourhoods" in parts:
        n, share = 4_900, 0.02
        chosen = labels_with(labels, round(share * n), 5)
        print(f"p-values by the size of a neighbourhood, {100 * share:g} % of {n:,}: {', '.join(chosen)}")
        rows_of = [rows_with(labels, n, share, name) for name in chosen]
        for size in NEIGHBOURHOODS:
            found = run(delayed(p_value)(vectors_of[id(banking)][rows], n, size) for rows in rows_of)
            print(f"{size}: {', '.join(f'{one:.4f}' for one in found)}", flush=True)
    if "speed" in parts:
        for n in (5_000, 50_000):
            texts = [f"{banking[row % len(banking)]} {row}" for row in range(2 * n)]
            rng = np.random.default_rng(0)
            vectors = np.tile(vectors_of[id(banking)], (2 * n // len(banking) + 1, 1))[: 2 * n]
            vectors = vectors + rng.normal(0, 0.02, vectors.shape).astype(np.float32)
            started = time.perf_counter()
            embedclf.drift(texts[:n], texts[n:], vectors=vectors)
            seconds = time.perf_counter() - started
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{n:,} + {n:,} rows, without embedding: {seconds:.0f} s, {memory:,.0f} MB at the most", flush=True)


if __name__ == "__main__":
    main()
