"""Options that several commands have."""

import codecs
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from embedclf.cli.screen import echo
from embedclf.errors import RowFault, list_faults
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.data.corpus import Corpus
    from embedclf.embedding.cache.vector_cache import VectorCache
    from embedclf.embedding.factory import EmbedderSettings
    from embedclf.embedding.usage import OnEvent

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _delimiter(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value in (r"\t", "tab"):
        return "\t"
    if value is not None and (len(value) != 1 or value in '"\r\n\0'):
        raise click.BadParameter(r"one character is needed, such as ';' or '\t'", ctx, param)
    return value


def _encoding(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        known = codecs.lookup(value)
        "".encode(known.name)  # not every codec is one of text, and one exists to fail
        codecs.getincrementaldecoder(known.name)
    except (LookupError, UnicodeError):
        raise click.BadParameter(f"Python knows no encoding of text {value!r}", ctx, param) from None
    return value


def _add(options: list[Decorator]) -> Decorator:
    return lambda command: functools.reduce(lambda function, option: option(function), reversed(options), command)


def _collected(name: str, make: Callable[..., Any], options: Mapping[str, Decorator]) -> Decorator:
    """Add options whose values the command gets as one object, made of them by their names."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def collecting(**values: Any) -> Any:
            own = {option: values.pop(option) for option in options}
            return command(**values, **{name: make(**own)})

        return _add(list(options.values()))(collecting)

    return decorate


@dataclass(frozen=True)
class FileOptions:
    """How a file of texts is to be read."""

    text_column: str
    delimiter: str | None
    encoding: str
    label_column: str | None = None
    needs_labels: bool = True
    skip_bad_rows: bool = False


def file_options(labels: Literal["needed", "optional", "none"]) -> Decorator:
    """Add the options that say how a file of texts is to be read; the command gets them as `file`."""
    options = {
        "text_column": click.option(
            "--text-column", metavar="NAME", default="text", show_default=True, help="Column of the texts."
        ),
        "label_column": click.option(
            "--label-column",
            metavar="NAME",
            default="label",
            show_default=True,
            help="Column of the labels." if labels == "needed" else "Column of the labels, if there are any.",
        ),
        "delimiter": click.option(
            "--delimiter", metavar="CHAR", callback=_delimiter, help="Between columns.  [default: by the extension]"
        ),
        "encoding": click.option(
            "--encoding",
            metavar="NAME",
            default="utf-8",
            show_default=True,
            callback=_encoding,
            help="Of the file; a byte order mark is accepted.",
        ),
        "skip_bad_rows": click.option(
            "--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be used, instead of stopping."
        ),
    }
    if labels == "none":
        del options["label_column"], options["skip_bad_rows"]
    return _collected("file", partial(FileOptions, needs_labels=labels == "needed"), options)


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

embedding_options = _collected("embedding", EmbeddingOptions, _EMBEDDING_OPTIONS)


@dataclass(frozen=True)
class TrainingOptions(EmbeddingOptions):
    """How a classifier is to be trained."""

    head: str
    regularization: str | float | None
    features: str
    label_names: bool | None

    def check(self) -> None:
        """See that they go together."""
        if self.head == "centroid" and self.regularization is not None:
            raise click.UsageError("--regularization goes with --head logistic: the centroid head has none.")
        if self.features == "words" and (self.embedder is not None or self.dimensions is not None):
            raise click.UsageError("--features words needs no embedder: leave out --embedder and --dimensions.")

    @property
    def settings(self) -> dict[str, Any]:
        """Give those of the head as `embedclf.train` takes them."""
        return {
            "head": self.head,
            "regularization": self.regularization or "auto",
            "features": self.features,
            "label_names": self.label_names,
        }


training_options = _collected(
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


def read_texts(dataset: str, file: FileOptions) -> "Corpus":
    """Read a file as the options say, and name the rows that are left out."""
    from embedclf.data.corpus import read_corpus

    corpus = read_corpus(dataset, **asdict(file))
    if corpus.skipped:
        show_left_out(corpus.name, corpus.skipped)
    return corpus


def show_left_out(name: str, faults: Sequence[RowFault]) -> None:
    """Name the rows that are left out."""
    echo(f"Left out {counted(len(faults), 'row')}:\n{list_faults(name, faults)}", err=True)


cache_dir_option = click.option(
    "--cache-dir",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Where vectors are kept.  [default: $EMBEDCLF_CACHE_DIR, else your cache folder]",
)


@dataclass(frozen=True)
class EmbedderOptions:
    """How an embedder is to be opened."""

    base_url: str | None
    allow_http: bool
    cache_dir: str | None
    no_cache: bool
    batch_size: int | None
    concurrency: int
    retries: int
    timeout: float
    max_cost: float | None
    dry_run: bool

    def settings(self, on_event: "OnEvent") -> "EmbedderSettings":
        """Give them as `embedclf.open_embedder` and `embedclf.load` take them."""
        if self.no_cache and self.cache_dir is not None:
            raise click.UsageError("Give either --cache-dir or --no-cache.")
        return {
            "cache": self._cache(),
            "on_event": on_event,
            "base_url": self.base_url,
            "allow_http": self.allow_http,
            "batch_size": self.batch_size,
            "concurrency": self.concurrency,
            "retries": self.retries,
            "timeout": self.timeout,
            "max_cost": self.max_cost,
        }

    def _cache(self) -> "VectorCache | bool":
        if self.cache_dir is None:
            return not self.no_cache  # so that an embedder that has no use for a cache need not load what makes one
        from embedclf.embedding.cache.vector_cache import VectorCache

        return VectorCache(self.cache_dir)


def _embedder_options(retries: int, timeout: float) -> dict[str, Decorator]:
    return {
        "base_url": click.option(
            "--base-url",
            metavar="URL",
            help="Another OpenAI-compatible server for aimlapi.  [default: $AIMLAPI_BASE_URL, else AI/ML API]",
        ),
        "allow_http": click.option("--allow-http", is_flag=True, help="Allow a server that is not encrypted."),
        "cache_dir": cache_dir_option,
        "no_cache": click.option("--no-cache", is_flag=True, help="Neither read nor keep vectors."),
        "batch_size": click.option(
            "--batch-size",
            metavar="N",
            type=click.IntRange(1, 2_048),
            help="Texts of one request.  [default: what fills --concurrency, from 32 to 2,048]",
        ),
        "concurrency": click.option(
            "--concurrency",
            metavar="N",
            type=click.IntRange(1, 1_024),
            default=16,
            show_default=True,
            help="The most requests under way at once.",
        ),
        "retries": click.option(
            "--retries",
            metavar="N",
            type=click.IntRange(0, 1_000),
            default=retries,
            show_default=True,
            help="How often a request is tried again; 14 last for over a minute.",
        ),
        "timeout": click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            default=timeout,
            show_default=True,
            help="How long to wait for an answer.",
        ),
        "max_cost": click.option(
            "--max-cost",
            metavar="DOLLARS",
            type=click.FloatRange(min=0),
            help="Do not start if it is about to cost more, and stop before it does.",
        ),
        "dry_run": click.option("--dry-run", is_flag=True, help="Say what would be sent and cost, and send nothing."),
    }


embedder_options = _collected("asked", EmbedderOptions, _embedder_options(retries=14, timeout=60))

# Whoever waits for a service wants an error sooner than a person before a screen; and there is nothing to estimate.
_OF_A_SERVICE = _embedder_options(retries=2, timeout=10)
del _OF_A_SERVICE["dry_run"]
service_embedder_options = _collected("asked", partial(EmbedderOptions, dry_run=False), _OF_A_SERVICE)

model_option = click.option(
    "-m",
    "--model",
    metavar="FILE",
    help="The trained classifier.  [default: $EMBEDCLF_MODEL, else the one trained last, else the only one in models/]",
)

embedder_again_option = click.option(
    "--embedder",
    metavar="PROVIDER:MODEL",
    help="The embedder that the classifier was trained with, if it is neither aimlapi nor wordllama.",
)

train_set_option = click.option(
    "--train-set",
    metavar="FILE",
    help="What the classifier was trained on, to show the nearest examples.",
)

min_confidence_option = click.option(
    "--min-confidence",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="Abstain below this confidence.  [default: what the model was trained with]",
)

report_option = click.option(
    "--report", metavar="FILE", help="Write a page to look at and to send, an .html file; needs embedclf[report]."
)
