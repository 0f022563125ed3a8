"""A model card in Markdown, with the metadata that Hugging Face reads at its beginning.

The metadata is YAML between lines of dashes, whose values are written as JSON, which YAML contains. Every sentence says
what the model file says or what holds for all classifiers: nothing about the texts is known here.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.formatting import counted, shown_interval, shown_share, to_json
from embedclf.printing.described import (
    ModelFile,
    accuracy_interval,
    command_lines,
    facts,
    kind,
    label_counts,
    needs,
    python_lines,
    trained_on,
    used,
)
from embedclf.printing.figures import held_out_test_lines
from embedclf.printing.lines import plain
from embedclf.printing.markdown import markdown_of, markdown_table

if TYPE_CHECKING:
    from embedclf.classifier.model_card import ModelCard

_FEW_ROWS = 30
_BUILT_IN = ("aimlapi", "wordllama")


def markdown_card(file: ModelFile) -> str:
    """Return the model card of a model file."""
    card = file.card
    name = Path(file.path).stem
    file = file._replace(path=Path(file.path).name)  # the reader has it somewhere else
    parts = [
        _metadata(file, name),
        f"# {markdown_of(name)}",
        f"A text classifier that gives {kind(card)}: {counted(len(file.model.classes), 'label')}. "
        f"It uses {markdown_of(used(file))}.",
        "## Intended use",
        f"To give {'any' if card.multilabel is not None else 'one'} of these labels to texts like those it was trained "
        f"on. {_abstains(file)}",
        _label_table(file),
        "## Training data",
        f"Trained on {markdown_of(trained_on(card))}. The model file contains none of the texts.",
        "## Evaluation",
        *_evaluation(card),
        "## Limitations",
        "\n".join(f"- {line}" for line in _limitations(file)),
        "## How to use it",
        "```python\n" + "\n".join(python_lines(file)) + "\n```",
        "```sh\n" + "\n".join(_shell_lines(file)) + "\n```",
        *map(markdown_of, needs(file)),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(file: ModelFile, name: str) -> str:
    held_out, multilabel = file.card.held_out, file.card.multilabel is not None
    lines = ["---", "library_name: embedclf", "pipeline_tag: text-classification", "tags:"]
    lines += ["- text-classification", "- embedclf"]
    if held_out is not None:
        metrics = [("accuracy", "Exact match" if multilabel else "Accuracy", held_out.accuracy)]
        metrics.append(("f1", "Macro-F1", held_out.macro_f1))
        if held_out.micro_f1 is not None:
            metrics.append(("f1", "Micro-F1", held_out.micro_f1))
        lines += ["metrics:", "- accuracy", "- f1", "model-index:", f"- name: {to_json(name, ensure_ascii=True)}"]
        lines += ["  results:", "  - task:", "      type: text-classification", "    dataset:"]
        lines += ["      name: Rows held out of the training file", "      type: held-out", "    metrics:"]
        for kind_of, called, value in metrics:
            lines += [f"    - type: {kind_of}", f"      name: {called}", f"      value: {value:.4f}"]
    return "\n".join([*lines, "---"])


def _shell_lines(file: ModelFile) -> list[str]:
    """Return how to install what the classifier needs, and how to use it, unless that needs Python."""
    spec = file.card.embedder
    if not file.model.uses_vectors or spec.provider in _BUILT_IN:
        return ["pip install embedclf", command_lines(file)[0]]
    if spec.provider == "external":
        return ["pip install embedclf"]
    extra = "fastembed" if spec.provider == "fastembed" else "langchain"
    return [f"pip install 'embedclf[{extra}]'", command_lines(file)[0]]


def _abstains(file: ModelFile) -> str:
    if (labels := facts(file).get("labels")) is not None:
        return f"Labels are given by their probability: {markdown_of(labels)}."
    when = facts(file)["abstains"]
    return "It never abstains." if when == "never" else f"It abstains {markdown_of(when)}."


def _label_table(file: ModelFile) -> str:
    counts = label_counts(file.card)
    if counts is None:
        return "\n".join(markdown_table(["label"], [[name] for name in file.model.classes]))
    rows = [[name, f"{counts.get(name, 0):,}"] for name in file.model.classes]
    return "\n".join(markdown_table(["label", "training rows"], rows))


def _evaluation(card: "ModelCard") -> list[str]:
    if (held_out := card.held_out) is None:
        return ["No rows were held out: its accuracy is not known."]
    lines = [f"- {markdown_of(plain(line).strip())}" for line in held_out_test_lines(card)]
    if interval := accuracy_interval(held_out):
        of = "exact match" if card.multilabel is not None else "accuracy"
        shown = markdown_of(shown_interval(interval))
        lines.append(f"- 95 % interval of the {of}: {shown}, if no two rows are the same text")
    return ["\n".join(lines)]


def _limitations(file: ModelFile) -> list[str]:
    card = file.card
    found = []
    if card.held_out is None:
        found.append("It has not been measured.")
    else:
        found.append(
            f"Measured on {counted(card.held_out.n_examples, 'row')} from the same source as the training rows, and on "
            "no others."
        )
        answer = "exactly the right labels" if card.multilabel is not None else "the right label"
        found.append(f"Of these rows, {shown_share(1 - card.held_out.accuracy)} did not get {answer}.")
    counts = label_counts(card) or {}
    if few := sum(n < _FEW_ROWS for name, n in counts.items() if name in file.model.classes):
        found.append(f"{counted(few, 'label')} with fewer than {_FEW_ROWS} training rows.")
    if card.threshold is None and card.multilabel is None and card.costs is None and card.out_of_scope_label is None:
        found.append("It gives every text one of its labels, even if none fits.")
    return found
