"""``embedclf embedders``."""

from typing import Any

import click

from embedclf.cli.help import Command
from embedclf.cli.screen import echo, echo_json, echo_lines
from embedclf.printing.tables import table


@click.command(
    "embedders",
    cls=Command,
    page="embedders.md",
    examples=[
        "embedclf embedders",
        "embedclf embedders --json",
    ],
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """List known embedding models with dimensions, input limits, prices and published accuracy.

    Other models of AI/ML API work by name; anything unknown is learned from the first response. All other providers are
    opened with LangChain, for example ollama:nomic-embed-text.
    """
    from embedclf.embedding.aimlapi.api_key import key_reason, key_source

    rows = _rows()
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
    local = dict.fromkeys(rows[0])
    return [
        *rows,
        local
        | {
            "embedder": "wordllama:l2_supercat",
            "dimensions": 256,
            "shortens_to": [64, 128],
            "dollars_per_million_tokens": 0.0,
        },
    ]


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
        "  free, on this machine: wordllama (for English)",
        "Results on your own texts may differ: embedclf compare FILE --embedder A --embedder B",
        "",
        "* other lengths with --dimensions; $/1M: list price per million tokens; -: not published. Accuracy in "
        f"percent: mean over {len(SHARED_TASKS)} of {len(CLASSIFICATION_TASKS)} English classification tasks of MTEB, "
        "those with a figure for every measured model (embeddings-benchmark/results, 2026-08-20; all tasks: --json).",
        "Source of the rest: AI/ML API's documentation, August 2026: https://aimlapi.com/ai-ml-api-pricing",
    ]


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)
