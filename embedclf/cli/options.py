"""Options of embedders and of models, and how several options become one object."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from embedclf.embedding.cache.vector_cache import VectorCache
    from embedclf.embedding.factory import EmbedderSettings
    from embedclf.embedding.usage import OnEvent

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def add_options(options: list[Decorator]) -> Decorator:
    """Add options, which the help shows in this order."""
    return lambda command: functools.reduce(lambda function, option: option(function), reversed(options), command)


def collected(name: str, make: Callable[..., Any], options: Mapping[str, Decorator]) -> Decorator:
    """Add options whose values the command gets as one object, made of them by their names."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def collecting(**values: Any) -> Any:
            own = {option: values.pop(option) for option in options}
            return command(**values, **{name: make(**own)})

        return add_options(list(options.values()))(collecting)

    return decorate


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
        """Return them as `embedclf.open_embedder` and `embedclf.load` take them."""
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


embedder_options = collected("asked", EmbedderOptions, _embedder_options(retries=14, timeout=60))

# Whoever waits for a service wants an error sooner than a person before a screen; and there is nothing to estimate.
_OF_A_SERVICE = _embedder_options(retries=2, timeout=10)
del _OF_A_SERVICE["dry_run"]
service_embedder_options = collected("asked", partial(EmbedderOptions, dry_run=False), _OF_A_SERVICE)

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
