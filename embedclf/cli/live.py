"""What the server is asked besides embeddings: its models, their prices now, and the balance."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.screen import echo, echo_json, echo_lines
from embedclf.formatting import counted, exact_dollars, price_per_million, shown_dollars
from embedclf.printing.tables import table

if TYPE_CHECKING:
    from embedclf.cli.options import EmbedderOptions
    from embedclf.embedding.aimlapi.balance import Balance
    from embedclf.embedding.aimlapi.live_models import LiveModel, LiveModels
    from embedclf.embedding.base import Embedder

_PREFIX = "aimlapi:"
_MOST_NAMES = 12


def server_url(base_url: str | None, allow_http: bool) -> str:
    """Return the base URL of the server that options and environment name, in its normal form."""
    from embedclf.embedding.aimlapi.settings import Settings

    return str(Settings(base_url=base_url, allow_http=allow_http).base_url)


def tell(
    rows: Sequence[Mapping[str, Any]], url: str, cache_dir: str | None, *, live: bool, balance: bool, as_json: bool
) -> None:
    """Print what a server serves of some embedders (`live`), and the balance (`balance`)."""
    from embedclf.embedding.aimlapi.api_key import key_source
    from embedclf.embedding.aimlapi.balance import read_balance
    from embedclf.embedding.aimlapi.live_models import live_models
    from embedclf.embedding.cache.vector_cache import VectorCache

    told: dict[str, Any] = {}
    if live:
        listed = live_models(url, VectorCache(cache_dir).folder)
        rows, others = live_rows(rows, listed), other_rows(rows, listed)
        told = {"embedders": rows, "others": others, "listed": source_of(listed), "key": key_source()}
        if not as_json:
            _show_live(rows, others, listed)
    if balance:
        left = read_balance(url)
        told |= {"balance": left.amount, "currency": left.currency}
        if not as_json:
            echo(_balance_line(left))
    if as_json:
        echo_json(told)


def quote_listed(embedders: "Sequence[Embedder]", asked: "EmbedderOptions") -> dict[str, Any]:
    """Let embedders estimate at the prices that the server lists now; see `costs.quote`."""
    from embedclf.embedding.aimlapi.live_models import live_models
    from embedclf.embedding.charges import Price

    of_server = [one for one in embedders if one.spec.provider == "aimlapi"]
    if not of_server:
        raise click.UsageError(
            "--live only applies to aimlapi embedders: set AIMLAPI_API_KEY, or use --embedder aimlapi:MODEL."
        )
    cache = asked.cache()
    listed = live_models(server_url(asked.base_url, asked.allow_http), None if cache is None else cache.folder)
    models = dict.fromkeys(one.spec.model for one in of_server)
    rows = live_rows([{"embedder": f"{_PREFIX}{model}"} for model in models], listed)
    for row in rows:
        name, price = row["embedder"], row["live_dollars_per_million_tokens"]
        if price is not None:
            source = Price(price, f"at {price_per_million(price)}, as listed {age_of(listed)}")
            for one in of_server:
                if one.spec.model == name.removeprefix(_PREFIX):
                    one.quote(source)
        elif row["served"]:
            echo(f"{name}: the server lists no price per token ({row['live_price_note']})", err=True)
        else:
            _warn_of_gone(name, listed)
    return {"live": {"listed": source_of(listed), "embedders": rows}}


def _warn_of_gone(name: str, listed: "LiveModels") -> None:
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE

    known = {model.id: one for one in CATALOGUE if (model := listed.find(one)) is not None}
    others = [model.id for model in listed.embedding_models if model.id not in known]
    served = [*known.values(), *others]
    names = f"{', '.join(served[:_MOST_NAMES])}{' …' if len(served) > _MOST_NAMES else ''}" or "none"
    gone = "no longer served" if name.removeprefix(_PREFIX) in CATALOGUE else "not served"
    echo(f"Warning: {name} is {gone}; these are: {names} (prices: embedclf embedders --live)", err=True)


def live_rows(rows: Sequence[Mapping[str, Any]], listed: "LiveModels") -> list[dict[str, Any]]:
    """Return rows of embedders with what the server lists: whether each is served, and at which price.

    Parameters
    ----------
    rows : sequence of mappings
        They have an ``embedder``. One that is not the server's is neither served nor gone.
    listed : LiveModels
    """
    made = []
    for row in rows:
        is_servers = row["embedder"].startswith(_PREFIX)
        found = listed.find(row["embedder"].removeprefix(_PREFIX)) if is_servers else None
        made.append({**row, "served": found is not None if is_servers else None, **_price_of(found)})
    return made


def other_rows(rows: Sequence[Mapping[str, Any]], listed: "LiveModels") -> list[dict[str, Any]]:
    """Return rows for the embedding models that the server lists and that are not among others."""
    known = [listed.find(row["embedder"].removeprefix(_PREFIX)) for row in rows if row["embedder"].startswith(_PREFIX)]
    others = [model for model in listed.embedding_models if model not in known]
    return [
        {"embedder": f"{_PREFIX}{model.id}", "aliases": list(model.aliases), "type": model.type, **_price_of(model)}
        for model in sorted(others, key=lambda model: model.id.lower())
    ]


def source_of(listed: "LiveModels") -> dict[str, Any]:
    """Return where and when a server was asked, for JSON."""
    asked = datetime.fromtimestamp(listed.asked, UTC).isoformat(timespec="seconds")
    return {"url": listed.url, "asked": asked, "seconds_ago": round(listed.seconds_ago)}


def _show_live(rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], listed: "LiveModels") -> None:
    """Print which models are served, and their prices beside those of the catalogue."""
    shown = [
        [
            row["embedder"],
            "yes" if row["served"] else "no",
            _shown_price(row) if row["served"] else "-",
            _dollars(row["dollars_per_million_tokens"]),
        ]
        for row in rows
        if row["served"] is not None
    ]
    echo_lines(table(["embedder", "served", "$ per 1M tokens", "list price"], shown))
    if others:
        echo()
        echo("Also served, but not in embedclf's catalogue:")
        echo_lines(table(["embedder", "$ per 1M tokens"], [[row["embedder"], _shown_price(row)] for row in others]))
    echo(
        f"Source: {listed.url}, asked {age_of(listed)}; list prices: AI/ML API's documentation, August 2026 "
        "(- means not published)",
        err=True,
    )


def age_of(listed: "LiveModels") -> str:
    """Return how long ago a server was asked: ``now``, ``3 hours ago``."""
    minutes = int(listed.seconds_ago // 60)
    if not minutes:
        return "now"
    return f"{counted(minutes, 'minute') if minutes < 60 else counted(minutes // 60, 'hour')} ago"


def _balance_line(balance: "Balance") -> str:
    """Return a balance as one line: ``Balance: $12.34``."""
    amount = abs(balance.amount)
    shown = shown_dollars(amount) if balance.currency == "USD" else f"{amount:,.2f} {balance.currency}"
    return f"Balance: {'-' if balance.amount < 0 else ''}{shown}"


def _price_of(model: "LiveModel | None") -> dict[str, Any]:
    price, note = (None, None) if model is None else (model.dollars_per_million_tokens, model.price_note)
    return {"live_dollars_per_million_tokens": price, "live_price_note": note}


def _shown_price(row: Mapping[str, Any]) -> str:
    return row["live_price_note"] or _dollars(row["live_dollars_per_million_tokens"])


def _dollars(price: float | None) -> str:
    return "-" if price is None else exact_dollars(price).removeprefix("$")
