"""Cross-validation against one training, each as a whole process, on Banking77.

    python benchmarks/cross_validation.py --banking77 FOLDER

FOLDER holds banking77_train.csv with the columns text and label (Casanueva et al., "Efficient Intent Detection with
Dual Sentence Encoders", 2020; 10,003 rows). The two commands are run in turn, and the median of the ratios is what
counts: the machine's own speed cancels out. Five folds are five trainings on four fifths of the rows.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

EMBEDCLF = [sys.executable, "-m", "embedclf"]
LIMIT = 6.0


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()

    data = ["--embedder", "wordllama", str(args.banking77 / "banking77_train.csv")]
    with tempfile.TemporaryDirectory() as folder:
        train = [*EMBEDCLF, "train", *data, "-o", str(Path(folder) / "banking77.safetensors")]
        cross_validate = [*EMBEDCLF, "cross-validate", *data, "--folds", "5"]
        ratios = []
        for _ in range(args.runs):
            one, all_folds = seconds(train), seconds(cross_validate)
            ratios.append(all_folds / one)
            print(f"  cross-validate, 5 folds: {all_folds:.1f} s; train: {one:.1f} s; {ratios[-1]:.2f} ×", flush=True)
    print(
        f"embedclf cross-validate against embedclf train, whole processes: {median(ratios):.2f} × (limit {LIMIT:g} ×)"
    )


if __name__ == "__main__":
    main()
