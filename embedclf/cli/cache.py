"""``embedclf cache``."""

from typing import TYPE_CHECKING

import click

from embedclf.cli.options import cache_dir_option
from embedclf.errors import counted

if TYPE_CHECKING:
    from embedclf.embedding.cache import CacheInfo


@click.group("cache")
def command() -> None:
    """Look at the cache of vectors, or empty it.

    Vectors that cost something are kept on disk, so that no text is paid for twice.
    """


@command.command("info")
@cache_dir_option
def info(cache_dir: str | None) -> None:
    """List each model's vectors, bytes and files."""
    from embedclf.embedding.cache import VectorCache

    cache = VectorCache(cache_dir)
    known = cache.info()
    click.echo(f"{cache.folder}")
    if not known:
        click.echo("The cache is empty.")
        return
    width = max(len("model"), *(len(_name(one)) for one in known))
    click.echo(f"{'model':<{width}}  {'vectors':>10}  {'size':>9}  segments")
    for one in known:
        click.echo(f"{_name(one):<{width}}  {one.n_vectors:10,}  {_size(one.n_bytes):>9}  {one.n_segments:8,}")


@command.command("clear")
@cache_dir_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(cache_dir: str | None, yes: bool) -> None:
    """Delete every vector, after asking.

    Says what the vectors would cost again.
    """
    from embedclf.embedding.cache import VectorCache

    cache = VectorCache(cache_dir)
    known = cache.info()
    if not known:
        click.echo(f"{cache.folder} is empty.")
        return
    n_vectors = sum(one.n_vectors for one in known)
    if not yes:
        for one in known:
            click.echo(
                f"{_name(one)}: {counted(one.n_vectors, 'vector')}, {_size(one.n_bytes)}, {_cost(one)}", err=True
            )
        click.confirm(f"Delete all {counted(n_vectors, 'vector')} in {cache.folder}?", abort=True, err=True)
    cache.clear()
    click.echo(f"Deleted {counted(n_vectors, 'vector')} from {cache.folder}")


def _name(one: "CacheInfo") -> str:
    from embedclf.embedding.aimlapi import BASE_URL

    return one.model if one.endpoint in (None, BASE_URL) else f"{one.model} at {one.endpoint}"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:,.1f} kB"


def _cost(one: "CacheInfo") -> str:
    from embedclf.embedding.catalogue import CATALOGUE

    if not one.n_tokens:
        return "what they would cost again is not known"
    tokens = f"they would cost {counted(one.n_tokens, 'token')} again"
    facts = CATALOGUE.get(one.model.partition(":")[2])
    if facts is None:
        return tokens
    dollars = facts.dollars_per_million_tokens * one.n_tokens / 1e6
    return f"{tokens}, {f'about ${dollars:,.4f}' if dollars >= 1e-4 else 'less than $0.0001'}"
