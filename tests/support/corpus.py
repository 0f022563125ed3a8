"""The small corpus, and where files of the repository are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
SMALL = {
    "delivery": [
        "Where is my parcel?",
        "The courier never came with my package",
        "My delivery is three days late",
        "Tracking has not moved since Monday",
        "When will the parcel arrive?",
        "The driver left the package with a neighbour",
        "Parcel lost in the post",
        "I am still waiting for my delivery to arrive",
        "Can the courier come on Saturday?",
        "The package was delivered to the wrong address",
    ],
    "password": [
        "I forgot my password",
        "Cannot log in to my account",
        "The password reset mail never comes",
        "My account is locked after too many attempts",
        "How do I change my password?",
        "Login says wrong password",
        "Please unlock my account, I cannot sign in",
        "The sign in code does not work",
        "I want a new password for my login",
        "Log in fails on my phone",
    ],
    "refund": [
        "I want my money back",
        "When do I get my refund?",
        "Please refund the broken lamp",
        "You refunded too little money",
        "The refund has not reached my bank",
        "Money back please, I returned it weeks ago",
        "How long does a refund take?",
        "I was promised a full refund",
        "Refund to another card?",
        "My money was never paid back",
    ],
}

TEXTS = [text for texts in SMALL.values() for text in texts]

LABELS = [label for label, texts in SMALL.items() for _ in texts]

SETS = [(label, "urgent") if place % 3 else (label,) for place, label in enumerate(LABELS)]
"""The labels of each text, where texts may have several."""

QUICK = {"features": "embedding", "label_names": False, "regularization": 1.0, "holdout": 0}
"""The settings that train fastest, for tests of something other than training."""

QUICKLY = ("--features", "embedding", "--regularization", 1, "--holdout", 0)
"""The same, for the command line."""

DATASETS = ROOT / "datasets"


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    """Write fields that need no quotes."""
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")
    return path
