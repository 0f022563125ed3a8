"""Options for the embedder, and for training a classifier."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from embedclf.cli import completers
from embedclf.cli.help import Choice, Option
from embedclf.cli.options import collected
from embedclf.embedding.tasks import TASKS, task_named
from embedclf.errors import EmbedderError

BALANCED = "balanced"


def _regularization(ctx: click.Context, param: click.Parameter, value: str | None) -> str | float | None:
    if value in (None, "auto"):
        return value
    try:
        number = float(value or "")
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise click.BadParameter(f"must be 'auto' or a number above 0, got {value!r}.", ctx, param)
    return number


def _class_weight(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None or value.casefold() == BALANCED:
        return value and BALANCED
    if not Path(value).exists():
        raise click.BadParameter(
            f"must be {BALANCED}, or a file with the columns label and weight; there is no file {value!r}.", ctx, param
        )
    return value


@dataclass(frozen=True)
class EmbeddingOptions:
    """The embedder to open."""

    embedder: str | None
    dimensions: int | None
    task: str | None
    prompt: str | None

    @property
    def asked(self) -> dict[str, Any]:
        """What the embedder is asked for, as arguments of `embedclf.open_embedder`."""
        return {"dimensions": self.dimensions, "task": self.task, "prompt": self.prompt}

    @property
    def given(self) -> list[str]:
        """The options by which something is asked of the embedder."""
        return [f"--{name}" for name, value in self.asked.items() if value is not None]


class TaskName(Choice):
    """A task, also by Google's own name for it."""

    def __init__(self) -> None:
        super().__init__(TASKS, case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the task of a name."""
        with contextlib.suppress(EmbedderError):  # the choices are listed below
            value = task_named(value)
        return super().convert(value, param, ctx)


TASK_HELP = f"What to tell a model that its vectors are for, if it takes a task: {', '.join(TASKS[:-1])} or {TASKS[-1]}"
PROMPT_HELP = "Instruction to put before each text, unchanged, for a model that follows one"

_EMBEDDING_OPTIONS = {
    "embedder": click.option(
        "--embedder",
        metavar="PROVIDER:MODEL",
        shell_complete=completers.embedders,
        help="Embedding model; see embedclf embedders.  [default: aimlapi if a key is set, else wordllama]",
    ),
    "dimensions": click.option(
        "--dimensions",
        metavar="N",
        type=click.IntRange(min=1),
        help="Embedding dimensions.  [default: the model's]",
    ),
    "task": click.option(
        "--task",
        metavar="TASK",
        type=TaskName(),
        help=f"{TASK_HELP}.  [default: clustering for cluster and map, else classification]",
    ),
    "prompt": click.option("--prompt", metavar="TEXT", help=f"{PROMPT_HELP}."),
}

embedding_options = collected("embedding", EmbeddingOptions, _EMBEDDING_OPTIONS)


@dataclass(frozen=True)
class TrainingOptions(EmbeddingOptions):
    """Settings for training a classifier."""

    head: str
    regularization: str | float | None
    features: str
    label_names: bool | None
    class_weight: str | None
    weight_column: str | None

    def __post_init__(self) -> None:
        """Check that the options are compatible."""
        if self.head == "centroid" and self.regularization is not None:
            raise click.UsageError("--C only applies to --head logistic: the centroid head has none.")
        unused = [*([] if self.embedder is None else ["--embedder"]), *self.given]
        if self.features == "words" and unused:
            raise click.UsageError(f"--features words uses no embedder: remove {' and '.join(unused)}.")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the recipe, as arguments of `embedclf.train`."""
        return {
            "head": self.head,
            "C": self.regularization or "auto",
            "features": self.features,
            "label_names": self.label_names,
        }


WEIGHT_HELP = "Column with the weight of each row in training; rows of weight 0 are left out."

weight_options = {
    "class_weight": click.option(
        "--class-weight",
        metavar="balanced|FILE",
        callback=_class_weight,
        help="Answer as if missing a label cost its weight: balanced weighs all labels the same, however many rows "
        "they have; FILE has the columns label and weight.",
    ),
    "weight_column": click.option(
        "--weight-column",
        metavar="NAME",
        help=WEIGHT_HELP,
    ),
}

training_options = collected(
    "training",
    TrainingOptions,
    {
        **_EMBEDDING_OPTIONS,
        "head": click.option(
            "--head",
            type=click.Choice(["logistic", "centroid"]),
            default="logistic",
            show_default=True,
            help="Logistic regression or nearest centroid.",
        ),
        "regularization": click.option(
            "--C",
            "regularization",
            cls=Option,
            old_names=["--regularization"],
            metavar="auto|FLOAT",
            callback=_regularization,
            help="scikit-learn's C for the logistic head; larger values fit more closely.  [default: auto]",
        ),
        "features": click.option(
            "--features",
            type=click.Choice(["auto", "embedding", "words", "both"]),
            default="auto",
            show_default=True,
            help="Use each text's embedding, its words or both; auto adds words if they help.",
        ),
        "label_names": click.option(
            "--label-names/--no-label-names",
            default=None,
            help="Also train on the label names as texts.  [default: if it helps]",
        ),
        **weight_options,
    },
)


def _separator(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "":
        raise click.BadParameter("must be a separator such as '/'.", ctx, param)
    return "\t" if value == r"\t" else value


label_hierarchy_option = click.option(
    "--label-hierarchy",
    metavar="SEPARATOR",
    callback=_separator,
    help="Labels are in a tree: what separates their parts, e.g. '/' for billing/refund.",
)

seed_option = click.option(
    "--seed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
