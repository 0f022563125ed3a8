"""``embedclf usage``: what was spent, and what the cache saved."""

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from embedclf.embedding.cache.vector_cache import VectorCache

Cli = Callable[..., Any]


def line(time: str, command: str | None = "train", **counts: Any) -> str:
    about = {"time": time, "provider": "aimlapi", "model": "text-embedding-3-small"}
    about |= {"endpoint": "https://api.aimlapi.com/v1", "texts": 10, "from_cache": 0, "duplicates": 0, "requests": 4}
    usage = {"tokens": 400_000, "credits": 20_800, "dollars": 0.0104, "saved_tokens": 0}
    charged = {"charged_answers": 4, "charged_tokens": 400_000, "charged_dollars": 0.0104}
    return json.dumps({**about, **({"command": command} if command else {}), **usage, **charged, **counts}) + "\n"


ESTIMATED: dict[str, Any] = {"credits": 0, "charged_answers": 0, "charged_tokens": 0, "charged_dollars": 0.0}


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days: charged, estimated, and partly of unknown price."""
    monkeypatch.setenv("TZ", "UTC")
    path = VectorCache().ledger.path
    path.write_text(
        line("2026-11-01T08:00:00+00:00")
        + line("2026-11-02T08:00:00+00:00", None, **ESTIMATED, dollars=0.008)
        + line("2026-11-03T08:00:00+00:00", "predict", from_cache=5, saved_tokens=1_000_000)
        + line("2026-11-03T09:00:00+00:00", "serve", **ESTIMATED, model="other", requests=2, tokens=7, dollars=None)
    )
    return path


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (
            (),
            """\
day         requests     tokens  credits  charged  estimated  cached    saved
2026-11-01         4    400,000   20,800  $0.0104          –       0        –
2026-11-02         4    400,000        –        –    $0.0080       0        –
2026-11-03         6    400,007   20,800  $0.0104    unknown       5  $0.0260
total             14  1,200,007   41,600  $0.0208    $0.0080       5  $0.0260
Saved: an estimate, at the latest price known.
Not included: 2 requests of unknown price.
""",
        ),
        (
            ("--by", "model", "--since", "2026-11-03"),
            """\
model                           requests   tokens  credits  charged  estimated  cached    saved
aimlapi:text-embedding-3-small         4  400,000   20,800  $0.0104          –       5  $0.0260
aimlapi:other                          2        7        –        –    unknown       0        –
total                                  6  400,007   20,800  $0.0104    unknown       5  $0.0260
Saved: an estimate, at the latest price known.
Not included: 2 requests of unknown price.
""",
        ),
        (
            ("--by", "command", "--since", "2026-11-01T09:00"),
            """\
command       requests   tokens  credits  charged  estimated  cached    saved
predict              4  400,000   20,800  $0.0104          –       5  $0.0260
not recorded         4  400,000        –        –    $0.0080       0        –
serve                2        7        –        –    unknown       0        –
total               10  800,007   20,800  $0.0104    $0.0080       5  $0.0260
Saved: an estimate, at the latest price known.
Not included: 2 requests of unknown price.
""",
        ),
        (("--since", "2999-01-01"), "Nothing has been spent since 2999-01-01 00:00 UTC.\n"),
    ],
)
def test_a_row_for_each_and_the_total(cli: Cli, ledger: Path, options: tuple[str, ...], shown: str):
    """What was charged and what is estimated are told apart; the cache saved what was charged last."""
    result = cli("usage", *options)
    assert result.exit_code == 0
    assert result.stdout == shown
    assert result.stderr.startswith(f"From {ledger}")


def test_as_json_in_python_and_as_a_table(cli: Cli, ledger: Path):
    """They are the same figures; a table has each fraction of a cent."""
    asked = json.loads(cli("usage", "--by", "command", "--json").stdout)
    spending = embedclf.VectorCache().spending("command")
    assert asked == {"ledger": str(ledger), **spending.to_dict()}
    assert (asked["by"], asked["since"], asked["time_zone"]) == ("command", None, "UTC")
    assert [row["command"] for row in asked["rows"]] == ["predict", "train", None, "serve"]
    assert asked["total"]["dollars"] == 0.0288
    assert asked["total"]["charged_dollars"] == 0.0208
    assert (asked["total"]["dollars_source"], asked["total"]["unpriced_requests"]) == ("partly estimated", 2)
    assert asked["total"]["saved_dollars"] == pytest.approx(0.026)
    assert str(spending).splitlines()[-3].startswith("total ")
    assert "$0.0208 of it charged" in spending._repr_html_()

    assert cli("usage", "--by", "command", "-o", "u.csv").stderr.startswith("Wrote 4 rows to u.csv\n")
    with Path("u.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["command"], row["dollars"], row["dollars_source"]) for row in rows] == [
        ("predict", "0.0104", "charged"),
        ("train", "0.0104", "charged"),
        ("", "0.008", "estimated"),
        ("serve", "", ""),
    ]
    assert "--output" in cli("usage", "-o", ledger).stderr
    assert VectorCache().ledger.entries()
    cli("usage", "--by", "model", "-o", "u.jsonl")
    first = json.loads(Path("u.jsonl").read_text().splitlines()[0])
    assert (first["model"], first["endpoint"]) == ("aimlapi:text-embedding-3-small", "https://api.aimlapi.com/v1")
    assert first["dollars"] == 0.0288


def test_since_in_python(ledger: Path):
    """A date, a time ago, as long ago as there are no dates."""
    cache = embedclf.VectorCache()
    assert len(cache.spending(since=date(2026, 11, 2)).rows) == 2
    assert len(cache.spending(since=timedelta.max).rows) == 3
    with pytest.raises(ValueError, match="by must be one of 'day', 'model', 'command', got 'week'"):
        cache.spending("week")  # type: ignore[arg-type]


@pytest.mark.parametrize("since", ["30", "yesterday", "3M", "2026-13-01", "-3d"])
def test_a_time_that_is_none(cli: Cli, since: str):
    """It is said what one looks like."""
    result = cli("usage", f"--since={since}")
    assert result.exit_code == 2
    assert f"'{since}' is neither a number with a unit (s, m, h, d or w), such as 30d, nor a date" in result.stderr


def test_nothing_spent_yet(cli: Cli, api: AimlapiServer):
    """It is a sentence; a file for a spreadsheet has its header."""
    assert cli("usage", "--since", "99999999999d", "-o", "u.csv").stdout.startswith("Nothing has been spent since")
    assert cli("usage").stdout == "Nothing has been spent yet.\n"
    assert Path("u.csv").read_text().startswith("day,texts,from_cache,requests,tokens,credits,dollars,dollars_source,")
    embedclf.open_embedder("aimlapi", cache=True).embed(["a text"])
    assert "\ntotal              1       2        1  $0.0000005       0\n" in cli("usage").stdout
