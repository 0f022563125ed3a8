"""What the server is asked besides embeddings: its models, their prices now, and the balance."""

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimlapi_server import AimlapiServer, Response, error, html
from embedclf.embedding.aimlapi import catalogue
from embedclf.embedding.aimlapi.advice import is_aimlapi
from embedclf.embedding.aimlapi.catalogue import ModelFacts
from running import Cli

KNOWN = {
    "text-embedding-3-small": ModelFacts(8_191, 1536, True, 62_500, 62.3),
    "voyage-2": ModelFacts(4_000),
    "voyage-law-2": ModelFacts(16_000),
}
FAR = 2 * 86_400.0


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, api: AimlapiServer) -> AimlapiServer:
    """A server of four models, and a catalogue of three, of which one is no longer served."""
    # What has taken the catalogue from its module before keeps the whole of it; what does later must not keep this one.
    import embedclf.embedding.aimlapi.model
    import embedclf.embedding.langchain  # noqa: F401

    monkeypatch.setattr(catalogue, "CATALOGUE", KNOWN)
    api.models = {"text-embedding-3-small": 1536, "voyage-law-2": 1024, "text-embedding-4": 2000, "voyage-2": 1024}
    api.hidden = {"voyage-2"}
    return api


def listing(*models: dict[str, Any] | str) -> Callable[[str], Response]:
    """Answer each GET with these models."""
    body = {"object": "list", "data": [{"id": one} if isinstance(one, str) else one for one in models]}
    return lambda path: Response(200, json.dumps(body).encode())


def kept() -> Path:
    """The file that keeps the answer."""
    (path,) = Path(os.environ["EMBEDCLF_CACHE_DIR"]).glob("models-*.json")
    return path


def grow_old(seconds: float) -> None:
    """Let the kept answer be older."""
    record = json.loads(kept().read_text())
    kept().write_text(json.dumps({**record, "asked": record["asked"] - seconds}))


def test_live_shows_what_is_served_and_at_which_price(known: AimlapiServer, cli: Cli):
    known.factor = 1.3
    done = cli("embedders", "--live")
    assert done.stdout == (
        "embedder                        served  $ per 1M tokens  list price\n"
        "aimlapi:text-embedding-3-small     yes            0.026        0.02\n"
        "aimlapi:voyage-2                    no                -           -\n"
        "aimlapi:voyage-law-2               yes            0.156           -\n"
        "\n"
        "Also served, but not in embedclf's catalogue:\n"
        "embedder                         $ per 1M tokens\n"
        "aimlapi:openai/text-embedding-4            0.156\n"
    )
    assert done.stderr == (
        f"Source: {known.base_url}/models?include=pricing, asked now; list prices: AI/ML API's documentation, "
        "August 2026 (- means not published)\n"
    )
    (lookup,) = known.lookups
    assert lookup.path == "/v1/models?include=pricing"
    assert "authorization" not in lookup.headers
    assert not known.requests


def test_the_answer_is_kept_for_a_day_and_then_asked_for_by_its_etag(known: AimlapiServer, cli: Cli):
    cli("embedders", "--live")
    grow_old(3 * 3_600 + 100)
    again = cli("embedders", "--live", "--json")
    listed = json.loads(again.stdout)["listed"]
    assert listed["url"] == f"{known.base_url}/models?include=pricing"
    assert 10_900 <= listed["seconds_ago"] < 11_000
    assert ", asked 3 hours ago; " in cli("embedders", "--live").stderr
    assert len(known.lookups) == 1

    grow_old(FAR)
    assert ", asked now; " in cli("embedders", "--live").stderr
    assert [one.status for one in known.lookups] == [200, 304]
    cli("embedders", "--live")  # a 304 keeps it for another day
    assert len(known.lookups) == 2

    grow_old(FAR)
    known.factor, known.hidden = 2.0, {"text-embedding-4"}
    changed = json.loads(cli("embedders", "--live", "--json").stdout)
    assert [one.status for one in known.lookups] == [200, 304, 200]
    assert changed["others"] == []
    assert [(row["served"], row["live_dollars_per_million_tokens"]) for row in changed["embedders"]] == [
        (True, 0.04),
        (True, 0.24),
        (True, 0.24),
        *[(None, None)] * 4,  # WordLlama and fastembed
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: "",
        lambda whole: "[" * 100_000,
        lambda whole: whole[:-20],
        lambda whole: whole.replace('"format": 1', '"format": 2'),
        lambda whole: whole.replace("127.0.0.1", "127.0.0.2"),
        lambda whole: whole.replace('"asked": ', '"asked": 9'),
        lambda whole: whole.replace('"asked": ', '"more": 1, "asked": '),
        lambda whole: whole.replace("0.02,", '"0.02",'),
        lambda whole: whole.replace("0.02,", "NaN,"),
        lambda whole: whole.replace('"etag": "', '"etag": "a\\nb'),
        lambda whole: whole.replace('"id": "voyage-law-2"', '"id": 1'),
        lambda whole: whole + " " * 2**23,
    ],
)
def test_a_kept_answer_that_is_not_as_it_was_written_is_asked_for_again(
    damage: Callable[[str], str], known: AimlapiServer, cli: Cli
):
    whole = cli("embedders", "--live").stdout
    kept().write_text(damage(kept().read_text()))
    assert cli("embedders", "--live").stdout == whole
    assert [one.status for one in known.lookups] == [200, 200]


def test_a_price_is_read_with_its_kind_unit_and_currency(known: AimlapiServer, cli: Cli):
    unit = {"name": "token", "measure": "input", "price": 0.02, "per": 1_000_000}
    other_units = {"kind": "fixed", "currency": "USD"}
    prices: dict[str, tuple[Any, float | None, str | None]] = {
        "a-million": ({**other_units, "units": [unit]}, 0.02, None),
        "b-thousand": ({**other_units, "units": [{**unit, "per": 1_000}]}, 20.0, None),
        "c-output-too": ({**other_units, "units": [unit, {**unit, "measure": "output", "price": 9}]}, 0.02, None),
        "d-output-only": ({**other_units, "units": [{**unit, "measure": "output"}]}, None, "not given"),
        "e-characters": ({**other_units, "units": [{**unit, "name": "character"}]}, None, "per character"),
        "f-request-too": ({**other_units, "units": [unit, {"name": "request", "price": 1}]}, None, "per request"),
        "g-euros": ({"kind": "fixed", "currency": "EUR", "units": [unit]}, None, "in EUR"),
        "h-variants": ({"kind": "variants", "dimensions": ["tier"], "variants": [unit]}, None, "varies"),
        "i-variable": ({"kind": "variable", "currency": "USD"}, None, "varies"),
        "j-two": ({**other_units, "units": [unit, {**unit, "price": 1}]}, None, "varies"),
        "k-text": ({**other_units, "units": [{**unit, "price": "0.02"}]}, None, "not readable"),
        "l-per-nothing": ({**other_units, "units": [{**unit, "per": 0}]}, None, "not readable"),
        "m-negative": ({**other_units, "units": [{**unit, "price": -1}]}, None, "not readable"),
        "n-no-units": (other_units, None, "not given"),
        "o-list": ([unit], None, "not given"),
        "p-absurd": ({**other_units, "units": [{**unit, "per": 1e-300}]}, None, "not readable"),
        "q-free": ({**other_units, "units": [{**unit, "price": 0}]}, 0.0, None),
        "r-other-shape": ({"prompt": "0.00000002"}, None, "not given"),
    }
    known.lookup_fault = listing(
        *({"id": name, "type": "EMBEDDING", "pricing": one} for name, (one, _, _) in prices.items())
    )
    others = json.loads(cli("embedders", "--live", "--json").stdout)["others"]
    found = {row["embedder"]: (row["live_dollars_per_million_tokens"], row["live_price_note"]) for row in others}
    assert found == {f"aimlapi:{name}": (price, note) for name, (_, price, note) in prices.items()}


def test_names_are_found_by_id_and_alias_in_any_case_and_chat_models_are_no_embedders(known: AimlapiServer, cli: Cli):
    known.lookup_fault = listing(
        {"id": "OpenAI/x", "aliases": ["Text-Embedding-3-SMALL", 7], "type": "openai/embeddings"},
        {"id": "voyage-2", "type": "chat-completions"},
        {"id": "voyage-law-2:latest"},
        {"id": "evil\x1b[2J\u202e", "type": "openai/embeddings"},
        {"id": 3},
        "null-shape",
    )
    done = cli("embedders", "--live")
    assert "aimlapi:text-embedding-3-small     yes        not given        0.02\n" in done.stdout
    assert "aimlapi:voyage-2                    no                -           -\n" in done.stdout
    assert "aimlapi:voyage-law-2               yes        not given           -\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert "aimlapi:null-shape" in done.stdout


def test_a_server_of_openais_shape_says_what_it_serves(known: AimlapiServer, cli: Cli):
    known.lookup_fault = listing("text-embedding-3-small", {"id": "BAAI/bge-m3", "object": "model", "created": 1})
    assert cli("embedders", "--live").stdout.splitlines()[1:] == [
        "aimlapi:text-embedding-3-small     yes        not given        0.02",
        "aimlapi:voyage-2                    no                -           -",
        "aimlapi:voyage-law-2                no                -           -",
        "",
        "Also served, but not in embedclf's catalogue:",
        "embedder             $ per 1M tokens",
        "aimlapi:BAAI/bge-m3        not given",
    ]


SERVERS_OWN_KEY = "; this server asks for a key before it lists its models, and none is sent for that"
MOVED = "; redirects are not followed. If the API has moved, pass its new URL with --base-url"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(404, "no"), "returned 404: “no” (request …); the server does not know this address: check the base URL"),
        (Response(401, b'{"error": {"message": "no key"}}'), f"returned 401: “no key”{SERVERS_OWN_KEY}"),
        (Response(302, b"", {"location": "http://127.0.0.1:9/"}), f"returned 302: “Found”{MOVED}"),
        (error(503, "Service Unavailable"), "returned 503: “Service Unavailable” (request …); try again later"),
        (Response(429, b'{"message": "slow down"}'), "returned 429: “slow down”; try again later"),
        (Response(200, b'{"error": {"message": "down", "code": 500}}'), "returned 500: “down”; try again later"),
        (html(), "returned an unusable response: it is not JSON, or was cut off (it starts with '<!DOCTYPE html>"),
        (Response(200, b"{}"), "returned an unusable response: it contains no list of models; check the base URL"),
        (Response(200, b'{"object": "list", "data": null}'), "returned an unusable response: it lists no models;"),
        (Response(200, b'{"data": [1, {"id": 2}]}'), "returned an unusable response: it lists no models;"),
        (Response(200, b"[" * 2**23), "returned an unusable response: it is not JSON"),
        (Response(200, b" " * (2**23 + 1)), "returned an unusable response: it is larger than the 8.4 MB allowed;"),
        (Response(200, gzip.compress(b" " * 2**25), {"content-encoding": "gzip"}), "it is larger than the 8.4 MB"),
        (Response(200, b"x", {"content-encoding": "br"}), "content encoding that was not requested ('br')"),
        (Response(200, b'{"data": []}', cut_after=3), "closed the connection in the middle of a response"),
        (Response(drop=True), "closed the connection in the middle of a response"),
        (Response(304, b""), "returned 304: “Not Modified”"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value.status),
)  # fmt: skip
def test_what_cannot_be_used_is_an_error_and_is_not_kept(
    answer: Response, message: str, known: AimlapiServer, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    known.lookup_fault = lambda path: answer
    done = cli("embedders", "--live")
    assert done.exit_code == 1
    assert done.stdout == ""
    before, _, after = message.partition("…")
    assert f"Error: {known.base_url}" in done.stderr
    assert before in done.stderr
    assert after in done.stderr
    known.lookup_fault = None
    assert cli("embedders", "--live").exit_code == 0


def test_a_server_that_is_not_there_or_takes_too_long(known: AimlapiServer, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    done = cli("embedders", "--live", "--base-url", "http://127.0.0.1:9/v1")
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: http://127.0.0.1:9/v1 cannot be reached: nothing is listening there ([Errno 111] Connection refused); "
        "is the server running, and is that its port?\n",
    )
    monkeypatch.setattr("embedclf.embedding.aimlapi.lookups._SECONDS", 0.2)
    known.lookup_fault = lambda path: Response(raw=(time.sleep(0.05) or b"H" for _ in range(20)))
    done = cli("embedders", "--live")
    assert (done.exit_code, done.stderr) == (
        1,
        f"Error: {known.base_url}/models?include=pricing did not respond within 0.2 s: try again later\n",
    )


def test_an_answer_that_cannot_be_kept_is_shown_all_the_same(known: AimlapiServer, cli: Cli, dataset: Path):
    done = cli("embedders", "--live", "--cache-dir", dataset.parent / "small.csv" / "x")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 8)
    assert f"Warning: the list of models cannot be kept in {dataset}/x (Not a directory)\n" in done.stderr


def test_nothing_is_asked_without_live_or_balance(known: AimlapiServer, cli: Cli):
    assert cli("embedders", "--json").exit_code == 0
    assert not known.lookups
    done = cli("embedders", "--base-url", known.base_url)
    assert (done.exit_code, "Error: --base-url only applies with --live or --balance." in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("dollars", "shown"), [(12.34, "$12.34"), (0, "$0.00"), (0.0123, "$0.0123"), (1234.5, "$1,234.50"), (-2, "-$2.00")]
)
def test_balance(dollars: float, shown: str, api: AimlapiServer, cli: Cli):
    api.balance = dollars
    done = cli("embedders", "--balance")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"Balance: {shown}\n", "")
    assert json.loads(cli("embedders", "--balance", "--json").stdout) == {"balance": dollars, "currency": "USD"}
    assert {one.path for one in api.lookups} == {"/v2/billing"}


def test_balance_beside_what_is_served(known: AimlapiServer, cli: Cli):
    told = json.loads(cli("embedders", "--live", "--balance", "--json").stdout)
    assert (told["balance"], len(told["others"])) == (100.0, 1)
    assert cli("embedders", "--live", "--balance").stdout.endswith("\nBalance: $100.00\n")
    assert ["authorization" in one.headers for one in known.lookups] == [False, True, True]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("another-key", "; check AIMLAPI_API_KEY (create keys at https://aimlapi.com/app/keys)"),
        ("", "; the server asks for a key, but AIMLAPI_API_KEY is not set: get a key at https://aimlapi.com/app/keys"),
        ("a key", "Error: AIMLAPI_API_KEY contains characters that no key has (spaces or line breaks): set it again"),
    ],
)
def test_a_balance_needs_the_key_which_is_not_shown(
    key: str, message: str, api: AimlapiServer, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIMLAPI_API_KEY", key)
    api.lookup_fault = lambda path: error(401, f"no valid key: {key}")
    done = cli("embedders", "--balance")
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr
    assert not key or key not in done.stderr.replace("a key at", "").replace("asks for a key", "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(403, "You've run out of credits. Please top up."), "; top up the account\n"),
        (Response(307, b"", {"location": "https://evil.example/v2/billing"}), "redirects are not followed"),
        (Response(200, b'{"current_balance": "12"}'), "returned an unusable response: it contains no balance"),
        (Response(200, b'{"current_balance": NaN}'), "returned an unusable response: it contains no balance"),
        (Response(200, b'{"current_balance": true}'), "returned an unusable response: it contains no balance"),
        (Response(200, b"[" * 100_000), "returned an unusable response: it contains no balance"),
        (html(404), "; the server does not know this address: check the base URL\n"),
    ],
)
def test_no_balance(answer: Response, message: str, api: AimlapiServer, cli: Cli):
    api.lookup_fault = lambda path: answer
    done = cli("embedders", "--balance")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"Error: http://127.0.0.1:{api.port}/v2/billing returned " in done.stderr
    assert message in done.stderr


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1", "https://evil-aimlapi.com/v1", "https://aimlapi.com.x.io"]
)
def test_the_key_is_sent_for_a_balance_to_aimlapi_only(url: str, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIMLAPI_API_KEY", "test-key")
    monkeypatch.setattr("embedclf.embedding.aimlapi.balance.look_up", None)
    done = cli("embedders", "--balance", "--base-url", url)
    assert (done.exit_code, done.stderr) == (
        1,
        f"Error: {url} is not AI/ML API, the only service whose balance embedclf can ask for: the key was not "
        "sent. Look up the balance on the provider's site\n",
    )


def test_which_hosts_are_aimlapis():
    assert all(map(is_aimlapi, ["https://api.aimlapi.com/v1", "https://aimlapi.com.", "https://a.b.aimlapi.com:443"]))
    assert not any(map(is_aimlapi, ["https://evilaimlapi.com", "https://aimlapi.com.evil.io", "https://x/aimlapi.com"]))


def test_a_dry_run_goes_by_the_price_that_is_listed_now(known: AimlapiServer, cli: Cli, dataset: Path):
    known.factor = 1.3
    listed = ", about $0.0157 at $65.00 per 1M tokens, as listed "
    train = ("train", dataset, "--dry-run", "--embedder", "aimlapi:text-embedding-3-small")
    assert "at the list price\n" in cli(*train).stdout
    assert not known.lookups
    known.prices = {"text-embedding-3-small": 50.0}
    done = cli(*train, "--live")
    assert done.stdout.endswith(f"{listed}now\n")
    assert done.stderr.endswith("\nDry run: no text was sent.\n")
    told = json.loads(cli(*train, "--live", "--json").stdout)
    assert told["estimate"]["price_source"] == "at $65.00 per 1M tokens, as listed now"
    assert told["live"]["embedders"] == [
        {
            "embedder": "aimlapi:text-embedding-3-small",
            "served": True,
            "live_dollars_per_million_tokens": 65.0,
            "live_price_note": None,
        }
    ]
    assert len(known.lookups) == 1
    cli(*train, "--live", "--no-cache")  # which keeps no answer either
    assert len(known.lookups) == 2
    grow_old(7_300)
    compared = cli("compare", *train[1:], "--embedder", "wordllama", "--live").stdout
    assert f"{listed}2 hours ago\n" in compared
    assert "wordllama:l2_supercat: free (runs locally)\n" in compared
    assert f"{listed}2 hours ago\n" in cli("check", *train[1:], "--live").stdout
    assert json.loads(cli("check", *train[1:], "--live", "--json").stdout)["live"]["embedders"][0]["served"]
    assert "authorization" not in {name for one in known.lookups for name in one.headers}
    assert not known.requests


def test_a_dry_run_warns_of_a_model_that_is_not_served(known: AimlapiServer, cli: Cli, dataset: Path):
    train = ("train", dataset, "--dry-run", "--live", "--embedder")
    assert (
        "Warning: aimlapi:voyage-2 is no longer served; these are: text-embedding-3-small, voyage-law-2, "
        "openai/text-embedding-4 (prices: embedclf embedders --live)\n"
    ) in cli(*train, "aimlapi:voyage-2").stderr
    done = cli(*train, "aimlapi:other")
    assert "Warning: aimlapi:other is not served; these are: " in done.stderr
    assert (done.exit_code, done.stdout.endswith(", price unknown\n")) == (0, True)
    known.lookup_fault = listing("text-embedding-3-small")
    done = cli(*train, "aimlapi:text-embedding-3-small", "--no-cache")
    assert "\naimlapi:text-embedding-3-small: the server lists no price per token (not given)\n" in done.stderr
    assert done.stdout.endswith(" at the list price\n")
    known.lookup_fault = lambda path: error(500, "down")
    assert cli(*train, "aimlapi:text-embedding-3-small", "--no-cache").exit_code == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--live", "Error: --live needs --dry-run: it is about what the run would cost."),
        ("--live --embedder words", "Error: --live needs --dry-run: it is about what the run would cost."),
        (
            "--live --dry-run --embedder words",
            "Error: --live only applies to aimlapi embedders: set AIMLAPI_API_KEY, or",
        ),
        ("--live --dry-run --embedder wordllama", "Error: --live only applies to aimlapi embedders"),
    ],
)
def test_where_live_does_not_apply(options: str, message: str, api: AimlapiServer, cli: Cli, dataset: Path):
    done = cli("train", dataset, *options.split())
    assert (done.exit_code, message in done.stderr) == (2, True)
    assert not api.lookups
