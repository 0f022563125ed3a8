"""One limit for several processes."""

import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

import embedclf
from aimlapi_server import AimlapiServer, Request, Response, tokens
from embedclf.embedding.cached_embedder import CachedEmbedder
from embedclf.embedding.shared_spending import SpendingFile, SpentPart, total_of

MODEL = "aimlapi:text-embedding-3-small"
CREDIT = 5e-7


def texts_of(name: str, n: int = 400) -> list[str]:
    return [f"{name} {number} " + "word " * (number % 37) for number in range(n)]


def embed_all(sent: CachedEmbedder, n: int) -> list[BaseException | None]:
    """Embed different texts with n copies at once; return how each ends."""
    ends: list[BaseException | None] = [None] * n

    def work(number: int) -> None:
        try:
            pickle.loads(pickle.dumps(sent)).embed(texts_of(str(number)))
        except embedclf.EmbedclfError as error:
            ends[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_it_holds_for_all_together_and_most_of_it_is_used(api: AimlapiServer):
    """Though twice the list price is charged; and afterwards, here too."""
    api.factor = factor = 2.0
    all_texts = [text for number in range(3) for text in texts_of(str(number))]
    limit = 0.5 * factor * 0.02e-6 * sum(map(tokens, all_texts))
    embedder = embedclf.open_embedder(MODEL, max_cost=limit, batch_size=32)
    assert isinstance(embedder, CachedEmbedder)
    with embedder.sharing_limit(3, SpendingFile(Path("spending.json"))) as sent:
        ends = embed_all(sent, 3)
    assert {type(end) for end in ends} == {embedclf.MaxCostError}
    assert all("spent of --max-cost" in str(end) for end in ends)
    assert 0.9 * limit <= api.dollars_charged <= limit + CREDIT
    assert embedder.spent == pytest.approx(api.dollars_charged)
    asked = api.n_requests
    with pytest.raises(embedclf.MaxCostError, match="nothing more was sent"):
        embedder.embed(texts_of("other"))
    assert api.n_requests == asked


def test_nothing_is_sent_once_the_run_has_ended(api: AimlapiServer):
    """A worker may still be at it."""
    embedder = embedclf.open_embedder(MODEL, max_cost=1.0)
    assert isinstance(embedder, CachedEmbedder)
    place = Path("spending.json")
    with embedder.sharing_limit(2, SpendingFile(place)) as sent:
        place.unlink()
    with pytest.raises(embedclf.EmbedderError, match="cannot be enforced any more"):
        sent.embed(["a text"])
    assert api.n_requests == 0
    assert embedder.spent == 1.0, "nobody knows what was spent"


def test_without_a_place_each_has_its_share_of_what_is_left(api: AimlapiServer):
    """Of the requests at once, too."""
    embedder = embedclf.open_embedder(MODEL, max_cost=1.0, concurrency=8)
    embedder.embed(["a text"])
    share = embedder.split(4)
    assert share.max_cost == pytest.approx((1.0 - CREDIT) / 4)
    assert share.max_concurrency == 2


def test_what_a_lost_process_had_in_flight_counts_as_spent():
    state: dict[str, Any] = {
        "parts": {
            "here": {"spent": 1.0, "reserved": 0.5, "in_flight": 2, "lost": 0.0, "n_lost": 0},
            "there": {"spent": 2.0, "reserved": 0.0, "in_flight": 0, "lost": 0.25, "n_lost": 1},
        }
    }
    assert total_of(state, without="here") == SpentPart(spent=2.0, lost=0.25, n_lost=1)
    total = total_of(state)
    total.give_up()
    assert total == SpentPart(spent=3.0, lost=0.75, n_lost=3)


def test_a_request_without_an_answer_is_repeated_only_if_there_is_room(api: AimlapiServer):
    """The server may charge for each."""
    sent = 0

    def drop(request: Request) -> Response | None:
        nonlocal sent
        sent += len(request.texts[0]) > 100
        return Response(drop=True)

    api.fault = drop
    embedder = embedclf.open_embedder(MODEL, max_cost=1e-4, retries=1)
    with pytest.raises(embedclf.EmbedderError):
        embedder.embed(["a long text " * 80])
    assert sent == 1
