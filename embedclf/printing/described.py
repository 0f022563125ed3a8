"""What a model file holds, as text, for ``embedclf info``. The embedder is not needed."""

import shlex
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.formatting import counted, joined, shown_interval, to_json
from embedclf.printing.answered import abstaining, rules_of
from embedclf.printing.figures import held_out_test_lines
from embedclf.printing.lines import Line, heading
from embedclf.printing.multilabel import label_rules
from embedclf.printing.tables import in_one_line, shown_label
from embedclf.stats.intervals import Interval, interval_of_mean

if TYPE_CHECKING:
    from embedclf.classifier.linear import LinearModel
    from embedclf.classifier.model_card import HeldOut, ModelCard
    from embedclf.embedding.base import EmbedderSpec

_N_CLASSES_SHOWN = 20


class ModelFile(NamedTuple):
    """A model file that has been read.

    Attributes
    ----------
    path : str
    n_bytes : int
    format : int
    model : LinearModel
    card : ModelCard
    """

    path: str
    n_bytes: int
    format: int
    model: "LinearModel"
    card: "ModelCard"


def model_lines(file: ModelFile) -> list[Line]:
    """Return what a model file holds, how good the classifier is, and how to use it, as lines."""
    card = file.card
    measured = held_out_test_lines(card) or ["No rows were held out: accuracy is not known."]
    if interval := accuracy_interval(card.held_out):
        share = "Exact match" if card.multilabel is not None else "Accuracy"
        measured.append(f"{share}: 95 % interval {shown_interval(interval)}, assuming no two rows have the same text")
    return [
        heading(in_one_line(file.path)),
        *(f"{name:<11} {value}" for name, value in facts(file).items()),
        "",
        *measured,
        "",
        heading("Use it:"),
        *(f"  {line}" for line in command_lines(file)),
        heading("In Python:"),
        *(f"  {line}" for line in python_lines(file)),
        *needs(file),
    ]


def facts(file: ModelFile) -> dict[str, str]:
    """Return what a classifier is, by what it is called; labels are shown in one line each."""
    model, card = file.model, file.card
    chosen = "" if card.regularization is None else f", C = {card.regularization:g}"
    found = {
        "gives": kind(card),
        "classes": f"{len(model.classes):,}: {_classes(file)}",
        "features": used(file),
        "head": "nearest label" if card.is_of_labels_alone else f"{card.head}{chosen}",
        "calibrated": f"temperature {card.temperature:.3g}",
    }
    if card.multilabel is not None:
        found["labels"] = label_rules(card)
    else:
        found["abstains"] = abstaining(card)
    if card.out_of_scope_label is not None:
        found["rejects"] = f"{shown_label(card.out_of_scope_label)} (out of scope)"
    if rules := rules_of(card):
        found["answers by"] = ", ".join(rules)
    found["trained on"] = trained_on(card)
    found["file"] = f"{file.n_bytes / 1_000:,.1f} kB, format {file.format}, written by embedclf {card.version}"
    return found


def kind(card: "ModelCard") -> str:
    """Return how many labels a text gets, and whether they are in a tree."""
    labels = "one label per text" if card.multilabel is None else "several labels per text"
    return labels if card.hierarchy is None else f"{labels}, in a tree ({in_one_line(card.hierarchy)})"


def _classes(file: ModelFile) -> str:
    classes = file.model.classes
    shown = [_with_count(name, file.card) for name in classes[:_N_CLASSES_SHOWN]]
    more = len(classes) - len(shown)
    return ", ".join(shown) + (f" … and {more:,} more (--json has all)" if more else "")


def _with_count(name: str, card: "ModelCard") -> str:
    counts = label_counts(card)
    return shown_label(name) if counts is None else f"{shown_label(name)} ({counts.get(name, 0):,})"


def label_counts(card: "ModelCard") -> dict[str, int] | None:
    """Return how many rows each label had in training; None if the file does not say."""
    counts = None if card.training is None else card.training.label_counts
    return None if counts is None else dict(counts)


def used(file: ModelFile) -> str:
    """Return the features that are used."""
    model, spec = file.model, file.card.embedder
    parts = []
    if model.words is not None:
        parts.append(f"words and pairs of words ({len(model.words.vocabulary.hashes):,})")
    if model.uses_vectors:
        parts.append(f"{in_one_line(spec.described)} ({spec.dimensions:,} dimensions)")
    return ", and ".join(parts)


def trained_on(card: "ModelCard") -> str:
    """Return what a classifier was trained on, as far as its file says."""
    if card.is_of_labels_alone:
        return f"no rows, {counted(card.n_examples, 'text')} of labels"
    rows, record = counted(card.n_examples, "row"), card.training
    files = "" if record is None or not record.files else f" of {', '.join(map(in_one_line, record.files))}"
    names = (card.text_column,) if isinstance(card.text_column, str) else card.text_column
    columns = ", ".join(map(in_one_line, [*names, card.label_column]))
    reading = {} if record is None else {name: value for name, value in record.reading.items() if name != "label_map"}
    how = "".join(f", {name.replace('_', ' ')} {_setting(value)}" for name, value in reading.items())
    return f"{rows}{files} (columns {columns}{how})" if files else rows


def _setting(value: object) -> str:
    return in_one_line(joined(value, ", ") if isinstance(value, list) else repr(value))


def accuracy_interval(held_out: "HeldOut | None") -> Interval | None:
    """Return the 95 % interval of the accuracy on held-out rows, each of which counts as a text of its own."""
    if held_out is None:
        return None
    n = held_out.n_examples
    return interval_of_mean(np.arange(n) < round(held_out.accuracy * n))


def command_lines(file: ModelFile) -> list[str]:
    """Return the commands that use a model file."""
    model, given = shlex.quote(file.path), _embedder_option(file)
    return [
        f'embedclf predict "a text" -m {model}{given}',
        f"embedclf evaluate FILE -m {model}{given}",
        f"embedclf serve -m {model}{given}",
    ]


def python_lines(file: ModelFile) -> list[str]:
    """Return the lines of Python that use a model file."""
    spec = file.card.embedder
    given = ""
    if file.model.uses_vectors and not spec.is_enough:
        given = (
            ", embedder=…" if spec.provider == "external" or spec.is_in_folder else f", embedder={to_json(str(spec))}"
        )
    return [
        "import embedclf",
        f"classifier = embedclf.load({to_json(file.path)}{given})",
        'classifier.predict(["a text"])',
    ]


def _embedder_option(file: ModelFile) -> str:
    spec = file.card.embedder
    if not file.model.uses_vectors or spec.is_enough or spec.provider == "external":
        return ""
    return " --embedder " + ("fastembed:/PATH" if spec.is_in_folder else shlex.quote(str(spec)))


def needs(file: ModelFile) -> list[str]:
    """Return what the embedder needs, in a sentence; nothing if it needs nothing."""
    spec = file.card.embedder
    if not file.model.uses_vectors:
        return []
    if spec.provider == "external":
        return ["It was trained with an embedder object, so it can only be used from Python."]
    return _place(spec)


def _place(spec: "EmbedderSpec") -> list[str]:
    if spec.endpoint is None:
        return []
    at = in_one_line(spec.endpoint)
    key = "; the key is read from AIMLAPI_API_KEY or the system's keyring" if spec.provider == "aimlapi" else ""
    return [f"Texts are sent to {at} to be embedded{key}. For another address, use --base-url."]
