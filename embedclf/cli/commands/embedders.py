"""``embedclf embedders``."""

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
    """List known embedding models with dimensions, input limits, prices and published quality.

    Other models of AI/ML API work by name; anything unknown is learned from the first response. All other providers are
    opened with LangChain, for example ollama:nomic-embed-text. Nothing is sent without --live or --balance.
    """
    if not (live or balance):
        for name, value in {"--base-url": base_url, "--allow-http": allow_http, "--cache-dir": cache_dir}.items():
            if value:
                raise click.UsageError(f"{name} only applies with --live or --balance.")
    from embedclf.embedding.aimlapi.api_key import key_reason, key_source
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE

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
    if live or balance:
        with ProgressLine():
            tell(rows, server_url(base_url, allow_http), cache_dir, live=live, balance=balance, as_json=as_json)
        return
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
