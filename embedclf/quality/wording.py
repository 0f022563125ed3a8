"""The wording of findings: what a kind of problem is called, and what to do about it."""

from typing import NamedTuple

from embedclf.embedding.aimlapi.catalogue import MULTILINGUAL
from embedclf.formatting import counted


class Words(NamedTuple):
    """The wording for one kind of finding: its noun, the rest of its title, and the advice."""

    thing: str
    rest: str
    advice: str


WORDS = {
    "malformed": Words("row", " that cannot be read", "Fix them in the file."),
    "empty": Words(
        "row", " without a text or label", "Fill them in, or write a copy without the empty texts with --fix FILE."
    ),
    "refused": Words("row", " rejected by the embedder", "Fix or drop them."),
    "conflicts": Words(
        "row", " with conflicting labels for the same text", "Choose one label: no classifier can learn both."
    ),
    "leakage": Words(
        "row",
        " with a text that is in both files",
        "Drop them from one file: accuracy on texts that were trained on means nothing.",
    ),
    "single_class": Words("label", " only", "Add texts with another label: there is nothing to tell apart."),
    "small_classes": Words("label", " with too few examples", "Add texts, or merge labels."),
    "garbled": Words(
        "text",
        " garbled by a wrong encoding",
        "Read the file in its own encoding (--encoding), or repair the texts where they come from.",
    ),
    "language": Words(
        "language",
        " that the embedder was not made for",
        f"Use a multilingual model, such as {' or '.join(f'aimlapi:{name}' for name in MULTILINGUAL)}; without one, "
        "see whether words help (--features both).",
    ),
    "label_errors": Words(
        "possible label error", ", most suspicious first", "Review them, and correct those that are wrong."
    ),
    "label_variants": Words(
        "label",
        " identical to another except for case, spaces or Unicode form",
        "Spell them the same way: now they are separate labels.",
    ),
    "near_leakage": Words(
        "row",
        " with a near-duplicate in the other file",
        "Drop the copies from one file: they inflate the measured accuracy.",
    ),
    "duplicates": Words(
        "exact duplicate", "", "Drop them unless they should count more: --fix FILE writes a copy without them."
    ),
    "near_duplicates": Words("near-duplicate", "", "Drop copies. Where the labels differ, decide which is right."),
    "anomalies": Words("outlier", ", farthest first", "Check whether they belong here."),
    "imbalance": Words(
        "label", " much rarer than another", "Add texts, and judge a classifier by macro-F1 rather than accuracy."
    ),
    "too_long": Words(
        "text",
        " longer than the embedder handles well",
        "Keep the part that decides the label: each text gets a single vector.",
    ),
}
SKIPPED = {
    "label_errors": "label errors",
    "near_leakage": "near-duplicates of the other file",
    "near_duplicates": "near-duplicates",
    "anomalies": "outliers",
}
"""What the kinds are called that a check may skip."""
ABOUT_LABELS = {"single_class", "small_classes", "label_variants", "imbalance"}


def title_of(kind: str, number: int) -> str:
    """Return how many problems of a kind there are, in words."""
    words = WORDS[kind]
    return f"{counted(number, words.thing)}{words.rest}"
