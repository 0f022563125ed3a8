"""``embedclf embedders``."""

from typing import Any

import click

from embedclf.cli.help import Command
from embedclf.cli.live import server_url, tell
from embedclf.cli.options import allow_http_option, base_url_option, cache_dir_option
from embedclf.cli.progress import ProgressLine
from embedclf.cli.screen import echo, echo_json, echo_lines
from embedclf.printing.tables import table


@click.command(
    "embedders",
    cls=Command,
    page="embedders.md",
    examples=[
        "embedclf embedders",
        "embedclf embedders --live",
    ],
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--live", is_flag=True, help="Ask the server which models it serves now, and at which prices; no key is sent."
)
@click.option("--balance", is_flag=True, help="Show the balance of the key's account at AI/ML API.")
@base_url_option
@allow_http_option
@cache_dir_option
def command(
    as_json: bool, live: bool, balance: bool, base_url: str | None, allow_http: bool, cache_dir: str | None
) -> None:
    """List known embedding models with dimensions, input limits, prices and published accuracy.

    Other models of AI/ML API work by name; anything unknown is learned from the first response. Those of fastembed run
    on this machine, as do models in a folder: fastembed:/path/to/folder. All other providers are opened with LangChain,
    for example ollama:nomic-embed-text. Nothing is sent without --live or --balance.
    """
    if not (live or balance):
        for name, value in {"--base-url": base_url, "--allow-http": allow_http, "--cache-dir": cache_dir}.items():
            if value:
                raise click.UsageError(f"{name} only applies with --live or --balance.")
    from embedclf.embedding.aimlapi.api_key import key_reason, key_source

    rows = _rows()
    if live or balance:
        with ProgressLine():
            tell(rows, server_url(base_url, allow_http), cache_dir, live=live, balance=balance, as_json=as_json)
        return
    if as_json:
        echo_json({"embedders": rows, "key": key_source()})
        return
    shown = [
        [
            str(row["embedder"]),
            f"{row['dimensions']}{'*' if row['shortens_to'] else ' '}",
            _cell(row["input_tokens"], ",d"),
            "free" if row["dollars_per_million_tokens"] == 0 else _cell(row["dollars_per_million_tokens"], ".2f"),
            _cell(row["mteb_classification"], ".1f"),
        ]
        for row in rows
    ]
    echo_lines(table(["embedder", "dimensions", "max tokens", "$/1M", "accuracy"], shown))
    for line in _legend():
        echo(line, err=True)
    echo(f"Key for AI/ML API: {key_reason()}", err=True)


def _rows() -> list[dict[str, Any]]:
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE, mean_classification
    from embedclf.embedding.fastembed_names import LISTED

    rows: list[dict[str, Any]] = [
        {
            "embedder": f"aimlapi:{name}",
            "dimensions": facts.dimensions,
            "shortens_to": list(facts.lengths or (1, facts.dimensions)) if facts.shortens or facts.lengths else None,
            "input_tokens": facts.input_tokens,
            "dollars_per_million_tokens": facts.dollars_per_million_tokens,
            "pages_per_dollar": facts.pages_per_dollar,
            "mteb": facts.mteb,
            "mteb_classification": mean_classification(facts),
            "mteb_classification_tasks": dict(facts.classification) or None,
        }
        for name, facts in CATALOGUE.items()
    ]
    free: dict[str, Any] = {**dict.fromkeys(rows[0]), "dollars_per_million_tokens": 0.0}
    wordllama: dict[str, Any] = {"embedder": "wordllama:l2_supercat", "dimensions": 256, "shortens_to": [64, 128]}
    of_fastembed: list[dict[str, Any]] = [
        {
            "embedder": f"fastembed:{one.name}",
            "dimensions": one.dimensions,
            "input_tokens": one.input_tokens,
            "mteb": one.mteb,
        }
        for one in LISTED
    ]
    return [*rows, *({**free, **one} for one in [wordllama, *of_fastembed])]


def _legend() -> list[str]:
    """Return what the columns mean, and which model to take."""
    from embedclf.embedding.aimlapi.catalogue import (
        CATALOGUE,
        CLASSIFICATION_TASKS,
        MULTILINGUAL,
        SHARED_TASKS,
        mean_classification,
    )

    means = {name: mean for name, facts in CATALOGUE.items() if (mean := mean_classification(facts)) is not None}
    ranked = sorted(means, key=means.__getitem__, reverse=True)
    prices = {name: price for name, facts in CATALOGUE.items() if (price := facts.dollars_per_million_tokens)}
    cheapest = min(prices, key=prices.__getitem__)
    of_many = next(name for name in ranked if name in MULTILINGUAL)
    return [
        "",
        "Which to take:",
        f"  English: aimlapi:{ranked[0]} ({means[ranked[0]]} %), aimlapi:{ranked[1]} ({means[ranked[1]]} %)",
        f"  many languages: aimlapi:{of_many}",
        f"  lowest list price: aimlapi:{cheapest} ({means[cheapest]} %)",
        "  free, on this machine: wordllama (English), fastembed:BAAI/bge-small-en-v1.5 (slower, better)",
        "Results on your own texts may differ: embedclf compare FILE --embedder A --embedder B",
        "",
        "* other lengths with --dimensions; $/1M: list price per million tokens; -: not published. Accuracy in "
        f"percent: mean over {len(SHARED_TASKS)} of {len(CLASSIFICATION_TASKS)} English classification tasks of MTEB, "
        "those with a figure for every measured model (embeddings-benchmark/results, 2026-08-20; all tasks: --json).",
        "Source of the rest: AI/ML API's documentation, August 2026: https://aimlapi.com/ai-ml-api-pricing",
    ]


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)
