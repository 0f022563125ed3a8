"""What a run writes into the ledger, and what is read from it."""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import embedclf
from aimlapi_server import AimlapiServer, Request, Response, error
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.vector_cache import VectorCache

SMALL_MODEL = "aimlapi:text-embedding-3-small"

Cli = Callable[..., Any]
OLD = {
    "time": "2026-08-01T10:00:00+00:00", "provider": "aimlapi", "model": "text-embedding-3-small", "endpoint": None,
    "texts": 3, "from_cache": 1, "duplicates": 0, "requests": 2, "tokens": 50, "credits": 0, "dollars": 1e-06,
    "saved_tokens": 20,
}  # fmt: skip


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in VectorCache().ledger.path.read_text().splitlines()]


def write(*records: dict[str, Any]) -> None:
    path = VectorCache().ledger.path
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def test_a_line_says_which_run_and_which_requests_it_is_of(cli: Cli, api: AimlapiServer, dataset: Path):
    """Each attempt has an id that the provider keeps, since it may charge for each; what it calls them stands there."""
    api.fault = lambda request: error(503, "busy", retry_after="0.01") if request.number == 0 else None
    assert cli("search", dataset, "my parcel", "--batch-size", "16").exit_code == 0
    (line,) = lines()
    sent = [request.headers["x-client-request-id"] for request in api.requests]
    assert len(set(sent)) == line["requests"] == 3
    assert all(re.fullmatch(rf"embedclf-{line['run']}-\d+", one) for one in sent)
    assert {line["first_request"], line["last_request"]} <= set(sent)
    assert sorted(line["inference_ids"]) == sorted(request.inference_id for request in api.requests)
    assert re.fullmatch("[0-9a-f-]{36}", *line["error_ids"])
    assert (line["command"], line["dollars_source"], line["dollars"]) == ("search", "charged", api.dollars_charged)
    embedclf.open_embedder(SMALL_MODEL, cache=True).embed(["a text"])
    assert (lines()[1]["command"], lines()[1]["run"]) == ("python", line["run"])


def test_a_worker_writes_as_the_run_that_it_works_for(api: AimlapiServer, monkeypatch: pytest.MonkeyPatch):
    """Its requests have numbers of its own; an embedder that was merely stored is of whoever opens it."""
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True)
    for_worker, stored = pickle.dumps(embedder.split(2)), pickle.dumps(embedder)
    own = embedder._behind.meter.trace.origin.run
    monkeypatch.setattr("embedclf.embedding.tracing._process", type("Other", (), {"id": "77aa", "numbers": iter([5])}))
    monkeypatch.setattr(
        "embedclf.embedding.tracing._origin", embedder._behind.meter.trace.origin._replace(run="77aa", command="other")
    )
    pickle.loads(for_worker).embed(["a"])
    assert api.requests[0].headers["x-client-request-id"] == f"embedclf-{own}.77aa-5"
    assert (lines()[0]["run"], lines()[0]["command"]) == (own, "python")
    assert pickle.loads(stored)._behind.meter.trace.origin == ("77aa", "other")


def test_a_forked_process_counts_its_requests_by_itself(api: AimlapiServer):
    """Two that share a run must not send the same id."""
    embedder = embedclf.open_embedder(SMALL_MODEL)
    first = embedder._behind.meter.trace.next_id()
    readable, writable = os.pipe()
    if not os.fork():
        os.write(writable, embedder._behind.meter.trace.next_id().encode())
        os._exit(0)
    os.wait()
    of_child = os.read(readable, 200).decode()
    assert re.fullmatch(rf"{first.rpartition('-')[0]}\.[0-9a-f]{{8}}-1", of_child)


def test_ids_of_a_server_are_shown_and_kept_only_as_far_as_they_are_fit_to(api: AimlapiServer):
    """A key, the commands of a terminal, or no end of characters: as in everything that a server says."""
    odd = {"x-inference-id": "test-key\x1b[31m" + "x" * 500}

    def fault(request: Request) -> Response:
        body = b'{"message": "no", "requestId": {"a": "test-key"}, "statusCode": 400}'
        return Response(400, body, odd)

    api.fault = fault
    with pytest.raises(embedclf.EmbedderError) as caught:
        embedclf.open_embedder(SMALL_MODEL, cache=True).embed(["a"])
    assert re.search(r"“no.*” \(inference …\s\[31mx{70,80}\)", str(caught.value))
    (line,) = lines()
    assert "error_ids" not in line
    assert all(re.fullmatch(r"…\s\[31mx{70,80}", one) for one in line["inference_ids"])


def test_lines_of_earlier_versions_and_odd_ones_count():
    """Without a command, and estimated; a line with a time that is none has no day."""
    write(OLD, {**OLD, "time": "yesterday", "command": 7, "run": []}, {**OLD, "time": "2026-08-01T10:00:00"})
    assert [row.name for row in VectorCache().spending().rows] == [None, "2026-08-01"]
    (row,) = VectorCache().spending("command").rows
    assert (row.name, row.usage.dollars_source, row.usage.requests) == (None, "estimated", 6)


def test_a_price_is_learnt_from_the_end_of_the_file(monkeypatch: pytest.MonkeyPatch):
    """However long it is; what is of another model, or too small for its rounding, says nothing."""
    charged = {"charged_answers": 1, "charged_tokens": 100_000, "charged_dollars": 0.002, "tokens": 100_000}
    tiny = {"charged_answers": 1, "charged_tokens": 3, "charged_dollars": 5e-07}
    write({**OLD, **charged, "charged_dollars": 0.9}, *[{**OLD, **tiny}] * 50, {**OLD, **charged})
    write({**OLD, **charged, "model": "voyage-2", "charged_dollars": 0.7})
    spec = EmbedderSpec("aimlapi", "text-embedding-3-small", None, None)
    monkeypatch.setattr("embedclf.embedding.ledger._MOST_OF_END", 10_000)
    assert VectorCache().ledger.charges(spec).dollars_per_million_tokens == pytest.approx(0.02)
