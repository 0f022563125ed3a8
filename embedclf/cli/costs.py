"""What embedding costs: an estimate before, and what was used after."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from embedclf.cli.screen import echo, echo_json
from embedclf.formatting import about_dollars, counted

if TYPE_CHECKING:
    from embedclf.embedding.base import Embedder
    from embedclf.embedding.usage import Estimate, Usage


def show_usage(embedder: "Embedder") -> None:
    """Say in one line on standard error what an embedder has used, if it may cost anything."""
    tell_usage(embedder.usage)


def tell_usage(usage: "Usage") -> None:
    """Say in one line on standard error what was used, if it may cost anything."""
    if not (usage.requests or usage.from_cache):
        return
    parts = [
        f"{usage.from_cache:,} from the cache",
        counted(usage.duplicates, "duplicate"),
        counted(usage.requests, "request"),
        counted(usage.tokens, "token"),
        f"{usage.credits:,.10g} credits",
        "price not known" if usage.dollars is None else about_dollars(usage.dollars),
    ]
    echo(f"Embedding: {counted(usage.texts, 'text')}, {', '.join(parts)}", err=True)


def print_estimate(embedder: "Embedder", texts: Iterable[str], *, as_json: bool = False) -> None:
    """Print what embedding would take and cost, which is the answer to ``--dry-run``."""
    estimate = embedder.estimate(texts)
    if as_json:
        echo_json({"dry_run": True, "estimate": estimate.to_dict()})
        return
    echo(estimate_line(estimate, free=embedder.is_local))
    echo("Nothing was sent.", err=True)


def estimate_line(estimate: "Estimate", *, free: bool = False) -> str:
    """Write an estimate in one line."""
    cost = "the price is not known" if estimate.dollars is None else about_dollars(estimate.dollars)
    return (
        f"{counted(estimate.texts, 'row')}, {estimate.unique:,} unique, {estimate.from_cache:,} cached, "
        f"{estimate.to_embed:,} to embed: about {counted(estimate.tokens, 'token')} (at most "
        f"{estimate.most_tokens:,}), {'free' if free else cost}"
    )
