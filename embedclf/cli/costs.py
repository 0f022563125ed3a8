"""The cost of embedding: estimated beforehand, and reported afterwards."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo, echo_json
from embedclf.formatting import about_dollars, counted

if TYPE_CHECKING:
    from embedclf.embedding.base import Embedder
    from embedclf.embedding.usage import Estimate, Usage


def show_usage(embedder: "Embedder") -> None:
    """Print an embedder's usage in one line on stderr, unless it sent no request and used no cache."""
    usage = embedder.usage
    if not embedder.is_local:
        tell_usage(usage)
    elif usage.from_cache:
        parts = counted(usage.texts, "text"), f"{usage.from_cache:,} from cache", counted(usage.duplicates, "duplicate")
        echo(f"Embedding: {', '.join(parts)}", err=True)


def tell_usage(usage: "Usage") -> None:
    """Print usage in one line on stderr, unless no request was sent and no cache was used."""
    if not (usage.requests or usage.from_cache):
        return
    parts = [
        f"{usage.from_cache:,} from cache",
        counted(usage.duplicates, "duplicate"),
        counted(usage.requests, "request"),
        counted(usage.tokens, "token"),
        f"{usage.credits:,.10g} credits",
        "price unknown" if usage.dollars is None else about_dollars(usage.dollars),
    ]
    echo(f"Embedding: {counted(usage.texts, 'text')}, {', '.join(parts)}", err=True)


def print_estimate(embedder: "Embedder", texts: Iterable[str], *, as_json: bool = False) -> None:
    """Print the estimated cost of embedding, for ``--dry-run``."""
    estimate = embedder.estimate(texts)
    if as_json:
        echo_json({"dry_run": True, "estimate": estimate.to_dict()})
        return
    echo(estimate_line(estimate, free=embedder.is_local))
    echo("Dry run: nothing was sent.", err=True)


def estimate_line(estimate: "Estimate", *, free: bool = False) -> str:
    """Return an estimate as one line; `free` if the embedder runs locally."""
    cost = "price unknown" if estimate.dollars is None else about_dollars(estimate.dollars)
    line = (
        f"{counted(estimate.texts, 'row')}, {estimate.unique:,} unique, {estimate.from_cache:,} cached, "
        f"{estimate.to_embed:,} to embed"
    )
    if free:
        return f"{line}, free"
    return f"{line}: about {counted(estimate.tokens, 'token')} (at most {estimate.most_tokens:,}), {cost}"
