"""Runs of ``embedclf.predict_file`` that end like a killed one, at each step on the disk in turn.

    python ending_early.py MODEL INPUT

Prints after how many steps a run was ended, and how many of these had left something to go on with.
"""

import os
import sys
from pathlib import Path

import embedclf
import embedclf.prediction.predict_files

_STEPS = {"open", "os.rename", "os.remove", "os.truncate"}
_ENDED = 9


def run_until(step: int, classifier: embedclf.TextClassifier, source: str) -> int:
    """Predict in a process of its own, which ends just before a step; gives its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = step

    def count(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        if event in _STEPS:
            left -= 1
            if left == 0:
                os._exit(_ENDED)

    fsync = os.fsync

    def synced(descriptor: int) -> None:
        count("open", ())
        fsync(descriptor)

    os.fsync = synced
    sys.addaudithook(count)
    try:
        embedclf.predict_file(classifier, source, "out.csv")
    finally:
        os._exit(int(sys.exc_info()[0] is not None))


def main(model: str, source: str) -> None:
    """End runs at one step after the other, until one comes to its end."""
    embedclf.prediction.scores.CHUNK_ROWS = 10
    classifier = embedclf.load(model)
    embedclf.predict_file(classifier, source, "whole.csv")
    whole = Path("whole.csv").read_bytes()
    n_ended = n_gone_on = 0
    while (code := run_until(n_ended + 1, classifier, source)) == _ENDED:
        n_ended += 1
        done = embedclf.predict_file(classifier, source, "out.csv", resume=True)
        n_gone_on += done.rows_before > 0
        assert Path("out.csv").read_bytes() == whole, n_ended
        assert not list(Path().glob("out.csv.*")), n_ended
        Path("out.csv").unlink()
    assert code == 0
    sys.stdout.write(f"{n_ended} {n_gone_on}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
