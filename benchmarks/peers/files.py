"""Files: a CSV file of texts in, the same with labels and confidences out, with WordLlama and 12 labels."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import CHUNK, Curve, Figures, Setting, Step, grow, in_a_process, report
from start_up import ROOT, save_classifiers

import embedclf

if TYPE_CHECKING:
    import pandas as pd


def ours(folder: Path, n: int) -> None:
    embedclf.predict_file(classifier(), folder / f"{n}.csv", folder / f"out-{n}.csv")


def classifier() -> embedclf.TextClassifier:
    return embedclf.load(ROOT / "models" / "example.safetensors")


def pandas_whole(folder: Path, n: int) -> None:
    import pandas as pd

    label(folder, pd.read_csv(folder / f"{n}.csv")).to_csv(folder / f"out-{n}.csv", index=False)


def pandas_chunks(folder: Path, n: int) -> None:
    import pandas as pd

    with (folder / f"out-{n}.csv").open("w", newline="") as file:
        for number, frame in enumerate(pd.read_csv(folder / f"{n}.csv", chunksize=CHUNK)):
            label(folder, frame).to_csv(file, index=False, header=not number)


def label(folder: Path, frame: "pd.DataFrame") -> "pd.DataFrame":
    llama, logistic = models(folder)
    probabilities = logistic.predict_proba(llama.embed(frame["text"].tolist(), norm=True))
    frame["predicted_label"] = logistic.classes_[probabilities.argmax(axis=1)]
    frame["confidence"] = probabilities.max(axis=1)
    return frame


def models(folder: Path) -> tuple[object, object]:
    if not loaded:
        import joblib
        import wordllama

        place = Path(wordllama.__file__).parent
        loaded.append(wordllama.WordLlama.load(cache_dir=place, disable_download=True))
        loaded.append(joblib.load(folder / "logistic.joblib"))
    return loaded[0], loaded[1]


loaded: list[object] = []
SIDES = {
    "embedclf": ours,
    "pandas, all at once": pandas_whole,
    "pandas, in chunks": pandas_chunks,
}


def measure(setting: Setting) -> dict[str, object]:
    from scoring import write

    from embedclf.data.corpus import read_corpus

    scratch = setting.scratch / "files"
    scratch.mkdir()
    save_classifiers(scratch)
    texts = read_corpus(ROOT / "datasets" / "support_tickets.csv").texts

    def run(name: str, n: int) -> Figures:
        if not (path := scratch / f"{n}.csv").exists():
            write(path, texts, n)
        return in_a_process([sys.executable, __file__, name, str(scratch), str(n)], setting)

    curves = [Curve(name, [Step("predict", lambda n, name=name: run(name, n))]) for name in SIDES]
    return {"sides": grow(curves, setting)}


def main(name: str, folder: Path, n: int) -> None:
    if name == "embedclf":
        classifier().predict(["one that loads it"])
        from embedclf.prediction import predict_files as scoring  # noqa: F401
    else:
        import pandas as pd  # noqa: F401

        models(folder)
    report(lambda: SIDES[name](folder, n))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
