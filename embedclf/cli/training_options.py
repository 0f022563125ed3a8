"""Options that say which embedder is to be used, and how a classifier is to be trained."""

from dataclasses import dataclass
from typing import Any

import click

from embedclf.cli.options import collected


def _regularization(ctx: click.Context, param: click.Parameter, value: str | None) -> str | float | None:
    if value in (None, "auto"):
        return value
    try:
        number = float(value or "")
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise click.BadParameter(f"{value!r} is neither 'auto' nor a number above 0.", ctx, param)
    return number


@dataclass(frozen=True)
class EmbeddingOptions:
    """Which embedder is to be opened."""

    embedder: str | None
    dimensions: int | None


_EMBEDDING_OPTIONS = {
    "embedder": click.option(
        "--embedder",
        metavar="PROVIDER:MODEL",
        help="What makes vectors; see embedclf embedders.  [default: aimlapi:text-embedding-3-small if "
        "AIMLAPI_API_KEY is set, else wordllama]",
    ),
    "dimensions": click.option(
        "--dimensions",
        metavar="N",
        type=click.IntRange(min=1),
        help="Length of the vectors.  [default: the model's]",
    ),
}

embedding_options = collected("embedding", EmbeddingOptions, _EMBEDDING_OPTIONS)


@dataclass(frozen=True)
class TrainingOptions(EmbeddingOptions):
    """How a classifier is to be trained."""

    head: str
    regularization: str | float | None
    features: str
    label_names: bool | None

    def __post_init__(self) -> None:
        """Check that they go together."""
        if self.head == "centroid" and self.regularization is not None:
            raise click.UsageError("--regularization goes with --head logistic: the centroid head has none.")
        if self.features == "words" and (self.embedder is not None or self.dimensions is not None):
            raise click.UsageError("--features words needs no embedder: leave out --embedder and --dimensions.")

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the head, as `embedclf.train` takes them."""
        return {
            "head": self.head,
            "regularization": self.regularization or "auto",
            "features": self.features,
            "label_names": self.label_names,
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
            "--regularization",
            metavar="auto|FLOAT",
            callback=_regularization,
            help="scikit-learn's C for logistic: larger fits closer.  [default: auto]",
        ),
        "features": click.option(
            "--features",
            type=click.Choice(["auto", "embedding", "words", "both"]),
            default="auto",
            show_default=True,
            help="What of a text is used: its vector, its words, or both; auto chooses whether words help.",
        ),
        "label_names": click.option(
            "--label-names/--no-label-names",
            default=None,
            help="Whether the name of each label is a training text, too.  [default: where it helps]",
        ),
    },
)

seed_option = click.option(
    "--seed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses what is held out."
)
