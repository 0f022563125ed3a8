"""The main job against its limits: start-up, one prediction, and training on Banking77.

    python benchmarks/main_job.py --banking77 FOLDER

FOLDER holds banking77_train.csv and banking77_test.csv with the columns text and label (Casanueva et al., "Efficient
Intent Detection with Dual Sentence Encoders", 2020; 10,003 and 3,080 rows). Each pair of commands is run in turn, and
the median of the ratios is what counts: the machine's own speed cancels out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models" / "example.safetensors"

# With compiled bytecode on both sides, as pip leaves it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

IMPORT_CLICK = [sys.executable, "-c", "import click"]
HELP = [str(Path(sys.executable).parent / "embedclf"), "--help"]
BARE_WORDLLAMA = """
from pathlib import Path
import wordllama
folder = Path(wordllama.__file__).parent
print(wordllama.WordLlama.load(cache_dir=folder, disable_download=True).embed(["where is my parcel"], norm=True).shape)
"""
PREDICT = [str(Path(sys.executable).parent / "embedclf"), "predict", "-m", str(MODEL), "where is my parcel"]

FIT = """
import sys, time
from sklearn.linear_model import LogisticRegression
import embedclf
from embedclf.corpus import read_corpus
corpus = read_corpus(sys.argv[1])
vectors = embedclf.open_embedder("wordllama").embed(corpus.texts)
start = time.perf_counter()
LogisticRegression(C=10).fit(vectors, corpus.labels)
print(time.perf_counter() - start)
"""


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    return time.perf_counter() - start


def compare(name: str, ours: list[str], theirs: list[str], limit: float, runs: int) -> None:
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    ratio = median(a / b for a, b in pairs)
    print(
        f"{name}: {median(a for a, _ in pairs):.3f} s against {median(b for _, b in pairs):.3f} s, "
        f"{ratio:.2f} × (limit {limit} ×)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()

    compare("embedclf --help against python -c 'import click'", HELP, IMPORT_CLICK, 2.5, args.runs)
    compare(
        "embedclf predict TEXT against a bare WordLlama, through its package",
        PREDICT,
        [sys.executable, "-c", BARE_WORDLLAMA],
        0.8,
        args.runs,
    )

    train, test = args.banking77 / "banking77_train.csv", args.banking77 / "banking77_test.csv"
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "banking77.safetensors")
        embedclf = [sys.executable, "-m", "embedclf"]
        ratios = []
        for _ in range(3):
            fit = float(subprocess.run([sys.executable, "-c", FIT, str(train)], check=True, capture_output=True).stdout)
            whole = seconds([*embedclf, "train", str(train), "-o", model])
            ratios.append(whole / fit)
            print(f"  train on Banking77: {whole:.1f} s; one LogisticRegression(C=10).fit: {fit:.1f} s", flush=True)
        print(f"embedclf train (whole process) against one fit: {median(ratios):.2f} × (limit 6 ×)")
        for head in ("logistic", "centroid"):
            subprocess.run(
                [*embedclf, "train", str(train), "-o", model, "--head", head], check=True, capture_output=True
            )
            report = json.loads(
                subprocess.run(
                    [*embedclf, "evaluate", str(test), "-m", model, "--json"], check=True, capture_output=True
                ).stdout
            )
            print(
                f"Banking77 test set, {head}: accuracy {report['accuracy']:.4f}, macro-F1 {report['macro_f1']:.4f}, "
                f"log loss {report['log_loss']:.4f}, calibration error {report['ece']:.4f}"
            )


if __name__ == "__main__":
    main()
