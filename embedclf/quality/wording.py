"""The wording of findings: what a kind of problem is called, and what to do about it."""

from typing import NamedTuple

from embedclf.formatting import counted
from embedclf.training.languages import MULTILINGUAL_ADVICE


class Words(NamedTuple):
    """The wording for one kind of finding.

    Attributes
    ----------
    thing, rest : str
        Its noun, and the rest of its title.
    advice : str
    of_one : str
        The advice if there is one only; empty if it is the same.
    by_command : str
        What the command line has to help, added to the advice there.
    order : str
        In which order a list of them is.
    of_several : str
        The advice if texts have several labels; empty if it is the same.
    """

    thing: str
    rest: str
    advice: str
    of_one: str = ""
    by_command: str = ""
    order: str = ""
    of_several: str = ""


WORDS = {
    "malformed": Words("row", " that cannot be read", "Fix them in the file.", "Fix it in the file."),
    "empty": Words(
        "row",
        " without a text or label",
        "Fill them in, or drop them.",
        "Fill it in, or drop it.",
        "--fix FILE writes a copy without the empty texts.",
    ),
    "refused": Words("row", " rejected by the embedder", "Fix or drop them.", "Fix or drop it."),
    "conflicts": Words(
        "row",
        " with conflicting labels for the same text",
        "Choose one label: no classifier can learn both.",
        of_several="Give all rows of a text the same labels, or keep one row.",
    ),
    "leakage": Words(
        "row",
        " with a text that is in both files",
        "Drop them from one file: accuracy on texts that were trained on means nothing.",
        "Drop it from one file: accuracy on texts that were trained on means nothing.",
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
        MULTILINGUAL_ADVICE,
    ),
    "label_errors": Words(
        "possible label error",
        "",
        "Review them, and correct those that are wrong.",
        "Review it, and correct it if it is wrong.",
        order=", most suspicious first",
    ),
    "label_variants": Words(
        "label",
        " identical to another except for case, spaces or Unicode form",
        "Spell them the same way: now they are separate labels.",
    ),
    "placeholders": Words(
        "word",
        " that may stand for a missing value",
        "Kept as they are, like any text or label. If they mean that there is none, empty the cells or drop the rows.",
    ),
    "near_leakage": Words(
        "row",
        " with a near-duplicate in the other file",
        "Drop the copies from one file: they inflate the measured accuracy.",
        "Drop the copy from one file: it inflates the measured accuracy.",
    ),
    "duplicates": Words(
        "exact duplicate",
        "",
        "Drop them unless they should count more.",
        "Drop it unless it should count more.",
        "--fix FILE writes a copy without duplicates.",
    ),
    "near_duplicates": Words("near-duplicate", "", "Drop copies. Where the labels differ, decide which is right."),
    "anomalies": Words(
        "outlier",
        "",
        "Check whether they belong here.",
        "Check whether it belongs here.",
        order=", farthest first",
    ),
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
# Kinds whose things have a name of their own; those of the others are rows, texts or labels.
_NAMED = {"label_errors", "duplicates", "near_duplicates", "anomalies"}
ABOUT_LABELS = {"single_class", "small_classes", "label_variants", "imbalance"}


def name_of(kind: str) -> str:
    """Return what one problem of a kind is called."""
    return WORDS[kind].thing if kind in _NAMED else kind.replace("_", " ")


def title_of(kind: str, number: int) -> str:
    """Return the title of a list of problems of a kind: how many there are, and in which order."""
    return number_of(kind, number) + ("" if number == 1 else WORDS[kind].order)


def number_of(kind: str, number: int) -> str:
    """Return how many problems of a kind there are, in words."""
    return counted(number, WORDS[kind].thing) + WORDS[kind].rest


def advice_on(kind: str, number: int, *, in_python: bool = True, of_several: bool = False) -> str:
    """Return what to do about a number of problems of a kind; outside Python, with the options that help."""
    words = WORDS[kind]
    advice = words.of_one if number == 1 and words.of_one else words.advice
    advice = words.of_several if of_several and words.of_several else advice
    return advice if in_python or not words.by_command else f"{advice} {words.by_command}"
