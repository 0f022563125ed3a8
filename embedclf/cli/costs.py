"""The cost of embedding: estimated beforehand, and reported afterwards."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from embedclf.cli.screen import echo, echo_json
from embedclf.formatting import about_dollars, counted

if TYPE_CHECKING:
    from embedclf.cli.options import EmbedderOptions
    from embedclf.embedding.base import Embedder, EmbedderSpec
    from embedclf.embedding.usage import Estimate, Usage
    from embedclf.evaluation.choices import Choice


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
        f"{usage.credits:,.10g} credit{'' if usage.credits == 1 else 's'}",
        usage.shown_cost,
    ]
    echo(f"Embedding: {counted(usage.texts, 'text')}, {', '.join(parts)}", err=True)


def print_estimate(
    embedder: "Embedder", texts: Iterable[str], asked: "EmbedderOptions", *, as_json: bool = False
) -> None:
    """Print the estimated cost of embedding, for ``--dry-run``; at the prices listed now with ``--live``."""
    listed = quote([embedder], asked)
    estimate = embedder.estimate(texts)
    if as_json:
        echo_json({"dry_run": True, "estimate": estimate.to_dict(), **listed})
        return
    echo(estimate_line(estimate, free=embedder.is_local))
    say_dry(asked)


def print_estimates(choices: "list[Choice]", texts: list[str], asked: "EmbedderOptions", *, as_json: bool) -> None:
    """Print the estimated costs of embedding texts with several embedders, for ``--dry-run``."""
    from embedclf.evaluation.choices import estimate_all

    listed = quote([choice.opened for choice in choices], asked)
    estimates = estimate_all(choices, texts)
    known = [estimate.dollars for _, estimate in estimates if estimate.dollars is not None]
    if as_json:
        of_each = [{**_named(choice.opened.spec), **estimate.to_dict()} for choice, estimate in estimates]
        echo_json({"dry_run": True, "estimates": of_each, "dollars": sum(known), **listed})
    else:
        for choice, estimate in estimates:
            echo(f"{choice.opened.spec.described}: {estimate_line(estimate)}")
        for name in sorted({choice.opened.spec.described for choice in choices if choice.opened.is_local}):
            echo(f"{name}: free (runs locally)")
        unknown = len(estimates) - len(known)
        total = about_dollars(sum(known)) if known or not unknown else ""
        more = f"{counted(unknown, 'model')} of unknown price" if unknown else ""
        echo(f"Total: {', plus '.join(filter(None, [total, more])) if estimates else 'free'}")
    say_dry(asked)


def _named(spec: "EmbedderSpec") -> dict[str, str | None]:
    return {"embedder": str(spec), "task": spec.task, "prompt": spec.prompt}


def say_dry(asked: "EmbedderOptions") -> None:
    """Say that nothing was embedded."""
    echo(f"Dry run: {'no text' if asked.live else 'nothing'} was sent.", err=True)


def quote(embedders: "Sequence[Embedder]", asked: "EmbedderOptions") -> dict[str, Any]:
    """Let embedders estimate at the prices that the server lists now, with ``--live``.

    Returns
    -------
    dict
        What the server lists, for JSON; empty without ``--live``.

    Raises
    ------
    click.UsageError
        If none of the embedders asks a server that lists its prices.
    EmbedderError
        If the server cannot be asked.
    """
    if not asked.live:
        return {}
    from embedclf.cli.live import quote_listed

    return quote_listed(embedders, asked)


def estimate_line(estimate: "Estimate", *, free: bool = False) -> str:
    """Return an estimate as one line; `free` if the embedder runs locally."""
    cost = "price unknown"
    if estimate.dollars is not None:
        source = estimate.price_source if estimate.dollars else None
        cost = f"{about_dollars(estimate.dollars)} {source or ''}".rstrip()
    line = (
        f"{counted(estimate.texts, 'row')}, {estimate.unique:,} unique, {estimate.from_cache:,} cached, "
        f"{estimate.to_embed:,} to embed"
    )
    if free:
        return f"{line}, free"
    return f"{line}: about {counted(estimate.tokens, 'token')} (at most {estimate.most_tokens:,}), {cost}"
