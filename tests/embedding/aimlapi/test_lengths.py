"""Texts of every length, to models that say what they take: nothing is refused."""

import numpy as np
import pytest

import aimlapi_server
import embedclf
from aimlapi_server import OTHER_MODELS, AimlapiServer
from embedclf.embedding.aimlapi.catalogue import CATALOGUE
from embedclf.embedding.aimlapi.lengths import n_characters
from embedclf.embedding.long_texts import cut

_PROSE = "My parcel is late again, and nobody answers. "


def _of(sample: str, n: int) -> str:
    """Return a text of exactly this many characters, unlike any other."""
    return (f"{n} {sample * (n // len(sample) + 1)}" if n > 9 else sample)[:n]


TEXTS = [
    *(_of(_PROSE, n) for n in (1, 2, 40, 799, 800, 801, 2_000, 7_999, 8_000, 8_001, 12_345, 20_000)),
    *(_of("Größe überprüft: żółć. ", n) for n in (799, 800, 801, 8_000, 8_001)),
    *(_of("荷物がまだ届きません。", n) for n in (800, 801, 5_000, 8_000, 20_000)),
    *(_of("😀", n) for n in (401, 402, 4_001, 4_002, 8_000)),
]


@pytest.mark.parametrize("model", [m for m in OTHER_MODELS if "voyage" not in m or m in ("voyage-2", "voyage-law-2")])
def test_texts_of_every_length(api: AimlapiServer, model: str):
    """In lists of what may be in lists, alone, or in pieces; each paid for once, and its vector kept."""
    api.delay = 0.05
    schema, facts = OTHER_MODELS[model], CATALOGUE[model]
    task = "CLASSIFICATION" if facts.tasks else None
    embedder = embedclf.open_embedder(f"aimlapi:{model}", cache=True)
    vectors = embedder.embed(TEXTS)
    assert {request.status for request in api.requests} == {200}
    assert len(set(api.texts_sent)) == len(api.texts_sent)
    assert api.most_at_once > 1
    for text, vector in zip(TEXTS, vectors, strict=True):
        pieces = [text] if text in api.texts_sent else list(cut(text, facts.piece_bytes))
        total = sum(
            len(piece.encode()) * aimlapi_server.embed(piece, model, schema.size, None, task) for piece in pieces
        )
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)
    # Whole if that may be.
    takes = [aimlapi_server.tokens(text) <= schema.max_tokens for text in TEXTS]
    most = schema.max_characters or 1e9
    assert [text in api.texts_sent for text in TEXTS] == [
        fits and n_characters(text) <= most for text, fits in zip(TEXTS, takes, strict=True)
    ]
    n_sent = len(api.texts_sent)
    np.testing.assert_array_equal(embedclf.open_embedder(f"aimlapi:{model}", cache=True).embed(TEXTS), vectors)
    assert len(api.texts_sent) == n_sent


def test_a_warning_counts_what_the_model_counts():
    """Characters or tokens, whichever are too many."""
    warning = embedclf.open_embedder("aimlapi:voyage-2").length_warning
    assert warning("a" * 4_000) is None
    assert warning("a" * 8_000) == "may be too long: at most 8,000 tokens; voyage-2 accepts 4,000"
    assert warning("😀" * 4_001) == "8,002 characters; voyage-2 accepts 8,000"
