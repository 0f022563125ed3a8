"""``embedclf cache``."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from embedclf.cli.amounts import BYTE_UNITS, SECOND_UNITS, number_of_bytes, seconds
from embedclf.cli.help import Command, Group
from embedclf.cli.options import cache_dir_option
from embedclf.cli.screen import confirm, echo, echo_lines
from embedclf.formatting import counted
from embedclf.printing.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.embedding.cache.model_cache import CacheInfo
    from embedclf.embedding.cache.vector_cache import VectorCache

_PAGE = "cost-and-cache.md#the-cache"


@click.group(
    "cache",
    cls=Group,
    page=_PAGE,
    examples=["embedclf cache info", "embedclf cache prune --older-than 90d --max-size 2GB"],
)
def command() -> None:
    """Inspect, prune or clear the embedding cache.

    Paid embeddings are stored on disk, so that no text is paid for twice.
    """


@command.command(
    "info",
    cls=Command,
    page=_PAGE,
    examples=["embedclf cache info"],
    short_help="Show vectors, spending and savings per model.",
)
@cache_dir_option
def info(cache_dir: str | None) -> None:
    """Show each model's vectors, bytes and files, what was spent on it, and roughly what the cache saved."""
    from embedclf.embedding.cache.vector_cache import VectorCache
    from embedclf.printing.spending import model_name, saved_by, spent_by

    cache = VectorCache(cache_dir)
    parts: dict[tuple[str, str | None], list[CacheInfo]] = {}
    for one in cache.info():
        parts.setdefault((one.model, one.endpoint), []).append(one)
    spent = {(row.name, row.endpoint): row for row in cache.spending("model").rows if row.name}
    echo(f"{cache.folder}")
    if not parts and not spent:
        echo("The cache is empty.")
        return
    rows = []
    for name, key in sorted((model_name(*key), key) for key in {*parts, *spent}):
        of_model, row = parts.get(key, []), spent.get(key)
        sent = (row.usage.requests, row.usage.tokens) if row else (0, 0)
        dollars = (spent_by(row), saved_by(row)) if row else ("$0.00", "$0.00")
        # What was spent is known of the model only, not of each task and prompt.
        told = sorted(((_told(one), one) for one in of_model), key=lambda pair: pair[0])
        shown = f"{name} ({told[0][0]})" if len(told) == 1 and told[0][0] else name
        rows.append([shown, *_cells(of_model), *(f"{count:,}" for count in sent), *dollars])
        if len(told) > 1 and told[-1][0]:
            rows += [[f"  {said or 'no task'}", *_cells([one]), *"––––"] for said, one in told]
    echo_lines(table(["model", "vectors", "size", "segments", "requests", "tokens", "spent", "saved"], rows))


@command.command("clear", cls=Command, page=_PAGE, examples=["embedclf cache clear", "embedclf cache clear --yes"])
@cache_dir_option
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def clear(cache_dir: str | None, yes: bool) -> None:
    """Delete all vectors, after confirmation.

    The prompt shows what it would cost to embed them again.
    """
    from embedclf.embedding.cache.vector_cache import VectorCache

    cache = VectorCache(cache_dir)
    known = cache.info()
    if cache.is_empty:
        echo(f"{cache.folder} is empty.")
        return
    n_vectors = sum(one.n_vectors for one in known)
    if not yes:
        for one in known:
            echo(_described(one, cache), err=True)
        confirm(f"Delete all {counted(n_vectors, 'vector')} in {cache.folder}?")
    cache.clear()
    echo(f"Deleted {counted(n_vectors, 'vector')} from {cache.folder}")


@command.command(
    "prune",
    cls=Command,
    page=_PAGE,
    examples=["embedclf cache prune --older-than 90d", "embedclf cache prune --max-size 2GB --yes"],
    short_help="Delete the least recently used vectors.",
)
@cache_dir_option
@click.option(
    "--older-than",
    metavar="TIME",
    callback=seconds,
    help=f"Delete vectors not used for this long: 90d ({SECOND_UNITS}).",
)
@click.option(
    "--max-size",
    metavar="SIZE",
    callback=number_of_bytes,
    help=f"Delete until the cache, of all models, is no larger than this: 2GB ({BYTE_UNITS}).",
)
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def prune(cache_dir: str | None, older_than: float | None, max_size: float | None, yes: bool) -> None:
    """Delete the least recently used vectors, after confirmation.

    The prompt shows what it would cost to embed them again. Times of use are recorded to the hour.
    """
    from embedclf.embedding.cache.vector_cache import VectorCache

    if older_than is None and max_size is None:
        raise click.UsageError("Missing --older-than TIME or --max-size SIZE (such as 90d and 2GB; both may be given).")
    try:
        age = None if older_than is None else timedelta(seconds=older_than)
    except OverflowError:
        raise click.BadParameter("no vector is that old.", param_hint="--older-than") from None
    max_bytes = None if max_size is None else int(max_size)
    cache = VectorCache(cache_dir)
    report = cache.to_prune(age, max_bytes)
    if not report.n_dropped:
        echo(f"{cache.folder}: nothing to delete; {_held(report.n_kept, report.kept_bytes)}")
        return
    if not yes:
        for one in report.dropped:
            echo(_described(one, cache), err=True)
        stays = _held(report.n_kept, report.kept_bytes)
        question = f"Delete {counted(report.n_dropped, 'vector')} from {cache.folder}, and keep {stays}?"
        confirm(question)
    report = cache.prune(age, max_bytes)
    stays = _held(report.n_kept, report.kept_bytes)
    echo(f"Deleted {counted(report.n_dropped, 'vector')} from {cache.folder}, kept {stays}")


def _held(n_vectors: int, n_bytes: int) -> str:
    return f"{counted(n_vectors, 'vector')}, {_size(n_bytes)}"


def _cells(parts: "Sequence[CacheInfo]") -> list[str]:
    n_vectors, n_segments = sum(one.n_vectors for one in parts), sum(one.n_segments for one in parts)
    return [f"{n_vectors:,}", _size(sum(one.n_bytes for one in parts)), f"{n_segments:,}"]


def _told(one: "CacheInfo") -> str:
    from embedclf.embedding.base import EmbedderSpec

    return EmbedderSpec("", one.model, None, task=one.task, prompt=one.prompt).told


def _described(one: "CacheInfo", cache: "VectorCache") -> str:
    """Return what there is of a model, and what it would cost to embed it again."""
    from embedclf.printing.spending import model_name

    name, told = model_name(one.model, one.endpoint), _told(one)
    label = f"{name} ({told})" if told else name
    return f"{label}: {_held(one.n_vectors, one.n_bytes)}, {_cost(one, cache)}"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:,.1f} kB"


def _cost(one: "CacheInfo", cache: "VectorCache") -> str:
    from embedclf.embedding.base import EmbedderSpec
    from embedclf.embedding.spending import price_in
    from embedclf.formatting import about_dollars

    if not one.n_tokens:
        return "cost to embed again unknown"
    tokens = f"{counted(one.n_tokens, 'token')} to embed again"
    provider, _, model = one.model.partition(":")
    price = price_in(cache.ledger, EmbedderSpec(provider, model, None, one.endpoint))
    return tokens if price is None else f"{tokens}, {about_dollars(price * one.n_tokens / 1e6)}"
