"""Start-up: whole processes, from the call to their end."""

import sys
from pathlib import Path

from measuring import Setting, SideError, in_turn, whole_process

ROOT = Path(__file__).parent.parent.parent
TEXT = "where is my parcel"
_RUNS = 9

TFIDF = """
import sys, joblib
print(joblib.load(sys.argv[1]).predict([sys.argv[2]])[0])
"""
PICKLED = """
import sys, joblib, wordllama
from pathlib import Path
folder = Path(wordllama.__file__).parent
vectors = wordllama.WordLlama.load(cache_dir=folder, disable_download=True).embed([sys.argv[2]], norm=True)
print(joblib.load(sys.argv[1]).predict(vectors)[0])
"""


def measure(setting: Setting) -> dict[str, object]:
    from main_job import BARE_WORDLLAMA, HELP, IMPORT_CLICK, PREDICT

    scratch = setting.scratch / "start_up"
    scratch.mkdir()
    save_classifiers(scratch)
    python = [sys.executable, "-c"]
    groups = {
        "help": {
            "embedclf --help": HELP,
            "import click, no more": IMPORT_CLICK,
        },
        "predict": {
            "embedclf predict TEXT": PREDICT,
            "TF-IDF + LogisticRegression, pickled": [*python, TFIDF, str(scratch / "tfidf.joblib"), TEXT],
            "WordLlama + LogisticRegression, pickled": [*python, PICKLED, str(scratch / "logistic.joblib"), TEXT],
            "WordLlama's vector, no more": [*python, BARE_WORDLLAMA],
        },
        "import": {
            "import embedclf": [*python, "import embedclf"],
            "Python, no more": [*python, "pass"],
            "import sklearn.linear_model": [*python, "import sklearn.linear_model"],
            "import langchain_openai": [*python, "import langchain_openai"],
        },
    }
    found = {}
    for group, commands in groups.items():
        sides = {name: lambda it=it: whole_process(it, setting) for name, it in commands.items()}
        found[group] = {
            name: {"failed": str(figures)} if isinstance(figures, SideError) else figures
            for name, figures in in_turn(sides, _RUNS).items()
        }
    return {"commands": found}


def save_classifiers(folder: Path) -> None:
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import embedclf
    from embedclf.data.corpus import read_corpus

    corpus = read_corpus(ROOT / "datasets" / "support_tickets.csv")
    vectors = embedclf.open_embedder("wordllama").embed(corpus.texts)
    joblib.dump(LogisticRegression().fit(vectors, corpus.labels), folder / "logistic.joblib")
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(corpus.texts, corpus.labels)
    joblib.dump(pipeline, folder / "tfidf.joblib")
