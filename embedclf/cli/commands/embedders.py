"""``embedclf embedders``."""

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
    """List known embedding models with dimensions, input limits, prices and published quality.

    Other models of AI/ML API work by name; anything unknown is learned from the first response. Those of fastembed run
    on this machine, as do models in a folder: fastembed:/path/to/folder. All other providers are opened with LangChain,
    for example ollama:nomic-embed-text.
    """
    from embedclf.embedding.aimlapi.api_key import key_reason, key_source
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE
    from embedclf.embedding.fastembed_names import LISTED

    rows = [
        {
            "embedder": f"aimlapi:{name}",
            "dimensions": facts.dimensions,
            "shortens_to": list(facts.lengths or (1, facts.dimensions)) if facts.shortens or facts.lengths else None,
            "input_tokens": facts.input_tokens,
            "dollars_per_million_tokens": facts.dollars_per_million_tokens,
            "pages_per_dollar": facts.pages_per_dollar,
            "mteb": facts.mteb,
        }
        for name, facts in CATALOGUE.items()
    ]
    rows.append(
        {
            "embedder": "wordllama:l2_supercat",
            "dimensions": 256,
            "shortens_to": [64, 128],
            "input_tokens": None,
            "dollars_per_million_tokens": 0.0,
            "pages_per_dollar": None,
            "mteb": None,
        }
    )
    rows += [
        {
            "embedder": f"fastembed:{one.name}",
            "dimensions": one.dimensions,
            "shortens_to": None,
            "input_tokens": one.input_tokens,
            "dollars_per_million_tokens": 0.0,
            "pages_per_dollar": None,
            "mteb": one.mteb,
        }
        for one in LISTED
    ]
    if as_json:
        echo_json({"embedders": rows, "key": key_source()})
        return
    shown = []
    for row in rows:
        lengths = row["shortens_to"]
        shortened = "-" if lengths is None else " or ".join(map(str, lengths))  # type: ignore[arg-type]
        if isinstance(lengths, list) and row["embedder"] != "wordllama:l2_supercat":
            shortened = f"{lengths[0]:,} to {lengths[1]:,}"
        price = row["dollars_per_million_tokens"]
        shown_price = "free" if price == 0 else _cell(price, ".2f")
        cells = [str(row["embedder"]), _cell(row["dimensions"], "d"), shortened, _cell(row["input_tokens"], ",d")]
        shown.append([*cells, shown_price, _cell(row["pages_per_dollar"], ",d"), _cell(row["mteb"], ".1f")])
    header = ["embedder", "dimensions", "shortened to", "input tokens", "$ per 1M tokens", "pages per $", "MTEB %"]
    echo_lines(table(header, shown))
    echo(
        "Source: AI/ML API's documentation, August 2026 (a page is 800 tokens; - means not published): "
        "https://aimlapi.com/ai-ml-api-pricing",
        err=True,
    )
    echo(f"Key for AI/ML API: {key_reason()}", err=True)


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)
