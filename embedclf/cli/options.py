"""Options for embedders and models, and helpers that collect options into one object."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli import completers

if TYPE_CHECKING:
    from embedclf.embedding.cache.vector_cache import VectorCache
    from embedclf.embedding.factory import EmbedderSettings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def add_options(options: list[Decorator]) -> Decorator:
    """Add options; the help lists them in this order."""
    return lambda command: functools.reduce(lambda function, option: option(function), reversed(options), command)


def collected(name: str, make: Callable[..., Any], options: Mapping[str, Decorator]) -> Decorator:
    """Add options whose values reach the command as one object, made from them as keywords."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def collecting(**values: Any) -> Any:
            own = {option: values.pop(option) for option in options}
            return command(**values, **{name: make(**own)})

        return add_options(list(options.values()))(collecting)

    return decorate


class Share(click.FloatRange):
    """A share between 0 and 1, which may be written as a percentage: ``0.95``, ``95%`` or ``95``.

    A number of 2 or more can only be a percentage; one between 1 and 2 may be a slip of the decimal point.
    """

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the share that a text stands for."""
        if isinstance(value, str):
            number = value.strip().removesuffix("%").rstrip()
            try:
                parsed = float(number)
            except ValueError:
                parsed = float("nan")
            if not isfinite(parsed):
                self.fail(f"{value!r} is not a share such as 0.95 or 95%.", param, ctx)
            is_percentage = number != value.strip() or 2 <= parsed <= 100
            value = float(Decimal(number) / 100) if is_percentage else parsed
        return super().convert(value, param, ctx)


base_url_option = click.option(
    "--base-url",
    metavar="URL",
    help="OpenAI-compatible server for aimlapi embedders.  [default: $AIMLAPI_BASE_URL, else AI/ML API]",
)
allow_http_option = click.option("--allow-http", is_flag=True, help="Allow an unencrypted server (http://).")

cache_dir_option = click.option(
    "--cache-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Embedding cache.  [default: $EMBEDCLF_CACHE_DIR, else in your cache directory]",
)


@dataclass(frozen=True)
class EmbedderOptions:
    """Settings for opening an embedder."""

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
    live: bool

    def __post_init__(self) -> None:
        if self.live and not self.dry_run:
            raise click.UsageError("--live needs --dry-run: it is about what the run would cost.")

    def settings(self) -> "EmbedderSettings":
        """Return the settings as arguments of `embedclf.open_embedder` and `embedclf.load`."""
        if self.no_cache and self.cache_dir is not None:
            raise click.UsageError("Use either --cache-dir or --no-cache, not both.")
        return {
            "cache": self._cache(),
            "base_url": self.base_url,
            "allow_http": self.allow_http,
            "batch_size": self.batch_size,
            "concurrency": self.concurrency,
            "retries": self.retries,
            "timeout": self.timeout,
            "max_cost": self.max_cost,
        }

    def cache(self) -> "VectorCache | None":
        """Return the cache; None if it is bypassed."""
        from embedclf.embedding.cache.vector_cache import open_cache

        return open_cache(self._cache())

    def _cache(self) -> "VectorCache | bool":
        if self.cache_dir is None:
            return not self.no_cache  # embedders that need no cache then avoid importing it
        from embedclf.embedding.cache.vector_cache import VectorCache

        return VectorCache(self.cache_dir)


def _embedder_options(retries: int, timeout: float) -> dict[str, Decorator]:
    return {
        "base_url": base_url_option,
        "allow_http": allow_http_option,
        "cache_dir": cache_dir_option,
        "no_cache": click.option("--no-cache", is_flag=True, help="Bypass the cache."),
        "batch_size": click.option(
            "--batch-size",
            metavar="N",
            type=click.IntRange(1, 2_048),
            help="Texts per request.  [default: 32 to 2,048, to make full use of --concurrency]",
        ),
        "concurrency": click.option(
            "--concurrency",
            metavar="N",
            type=click.IntRange(1, 1_024),
            default=16,
            show_default=True,
            help="Maximum concurrent requests.",
        ),
        "retries": click.option(
            "--retries",
            metavar="N",
            type=click.IntRange(0, 1_000),
            default=retries,
            show_default=True,
            help="Retries per request; 10 take over half a minute.",
        ),
        "timeout": click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            default=timeout,
            show_default=True,
            help="Timeout of a request.",
        ),
        "max_cost": click.option(
            "--max-cost",
            metavar="DOLLARS",
            type=click.FloatRange(min=0),
            help="Do not start if the estimate is higher, and stop before spending more.",
        ),
        "dry_run": click.option("--dry-run", is_flag=True, help="Estimate requests and cost; send nothing."),
        "live": click.option(
            "--live",
            is_flag=True,
            help="With --dry-run: ask the server for its price now, and whether it serves the model; no key is sent.",
        ),
    }


embedder_options = collected("asked", EmbedderOptions, _embedder_options(retries=10, timeout=60))

# Clients of a service need errors sooner than people at a terminal, and a service has nothing to estimate.
_OF_A_SERVICE = _embedder_options(retries=2, timeout=10)
del _OF_A_SERVICE["dry_run"], _OF_A_SERVICE["live"]
service_embedder_options = collected("asked", partial(EmbedderOptions, dry_run=False, live=False), _OF_A_SERVICE)

model_option = click.option(
    "-m",
    "--model",
    metavar="FILE",
    shell_complete=completers.models,
    help="Model file.  [default: $EMBEDCLF_MODEL, else the most recently trained, else the only one in models/]",
)

embedder_again_option = click.option(
    "--embedder",
    metavar="PROVIDER:MODEL",
    help="Embedder the model was trained with, if it is neither aimlapi nor wordllama.",
)

train_set_option = click.option(
    "--train-set",
    metavar="FILE",
    help="File the model was trained on, to show the nearest examples.",
)

min_confidence_option = click.option(
    "--min-confidence",
    metavar="SHARE",
    type=Share(0, 1),
    help="Abstain below this confidence, e.g. 0.8 or 80%.  [default: the model's threshold]",
)

coverage_option = click.option(
    "--coverage",
    metavar="SHARE",
    type=Share(0, 1, min_open=True, max_open=True),
    help="Also find the smallest sets of labels that hold the true one in this share of cases, e.g. 0.9 or 90%.",
)

report_option = click.option("--report", metavar="FILE", help="Write an HTML report.")


@dataclass(frozen=True)
class PageOptions:
    """What an HTML page says of itself."""

    title: str | None
    note: str | None
    dated: bool


page_options = collected(
    "about",
    PageOptions,
    {
        "title": click.option("--title", metavar="TEXT", help="Title of the HTML page."),
        "note": click.option("--note", metavar="TEXT", help="Remark to show at the top of the HTML page."),
        "dated": click.option("--dated", is_flag=True, help="Show today's date on the HTML page."),
    },
)
