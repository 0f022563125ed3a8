"""Texts that are longer than a model takes."""

import numpy as np
import pytest

import aimlapi_server
import embedclf
from aimlapi_server import AimlapiServer, error
from embedclf.embedding.long_texts import cut
from running import Cli

SMALL_MODEL = "aimlapi:text-embedding-3-small"


def expected(text: str) -> np.ndarray:
    return aimlapi_server.embed(text, "text-embedding-3-small", 1536)


@pytest.mark.parametrize(
    ("text", "n_bytes", "pieces"),
    [
        ("short", 10, ["short"]),
        ("One sentence. Another one.", 20, ["One sentence. ", "Another one."]),
        ("no sentence but words here", 12, ["no sentence ", "but words ", "here"]),
        ("a\n\nb and more. Then", 15, ["a\n\nb and more. ", "Then"]),
        ("nospacesatallinhere", 8, ["nospaces", "atallinh", "ere"]),
        ("äöüäöü", 5, ["äö", "üä", "öü"]),
        ("日本語テキスト", 10, ["日本語", "テキス", "ト"]),
        ("😀😀😀", 6, ["😀", "😀", "😀"]),
        ("これは文です。次の文です。終わり", 40, ["これは文です。次の文です。", "終わり"]),
        ("words\u3000between\u00a0other spaces", 22, ["words\u3000between\u00a0", "other spaces"]),
    ],
)
def test_where_a_text_is_cut(text: str, n_bytes: int, pieces: list[str]):
    """After a sentence, else after a word, else between two characters; nothing is lost."""
    assert list(cut(text, n_bytes)) == pieces
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= n_bytes for piece in pieces)


def test_a_long_text_that_fits_is_sent_whole(api: AimlapiServer, caplog: pytest.LogCaptureFixture):
    """32,000 bytes of English are 8,000 tokens: nothing is cut, and nothing remarked."""
    text = "word " * 6_400
    vectors = embedclf.open_embedder(SMALL_MODEL).embed(["short", text])
    np.testing.assert_allclose(vectors[1], expected(text), atol=1e-6)
    assert sorted(api.texts_sent) == ["short", text]
    assert not caplog.records


def test_one_that_does_not_fit_is_cut(cli: Cli, api: AimlapiServer, dataset):
    """Its vector is the mean of its pieces' by their length, at unit length; a remark says how many there were."""
    cli("train", dataset)
    api.reset()
    long = "My parcel is late again. " * 1_500  # 9,375 tokens
    result = cli("predict", long, "my refund")
    assert result.exit_code == 0
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["delivery", "refund"]
    assert (
        "1 text is longer than text-embedding-3-small accepts: embedded in pieces and averaged, weighted by length.\n"
        in (result.stderr)
    )
    pieces = list(cut(long, 8_191))
    # A harmless text goes first, unless the short one has been accepted by then.
    assert sorted(set(api.texts_sent) - {"hello"}) == sorted({*pieces, "my refund"})
    asked = len(api.texts_sent)
    total = sum(len(piece) * expected(piece) for piece in pieces)
    vector = embedclf.open_embedder(SMALL_MODEL, cache=True).embed([long])[0]
    np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)
    assert len(api.texts_sent) == asked  # the vector of the whole is in the cache


def test_many_long_ones_among_short_ones(api: AimlapiServer):
    """Each comes to its place; only those that do not fit are cut."""
    texts = [f"short {number}" for number in range(100)]
    for place in (3, 50, 97):
        texts[place] = f"number {place} " + "fits well " * 2_000
    for place in (10, 60):
        texts[place] = f"number {place} " + "is too long " * 3_000
    vectors = embedclf.open_embedder(SMALL_MODEL).embed(texts)
    for place, text in enumerate(texts):
        if place not in (10, 60):
            np.testing.assert_allclose(vectors[place], expected(text), atol=1e-6)
        else:
            assert vectors[place] @ expected(text) > 0.9
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_model_with_another_limit(api: AimlapiServer):
    """What is refused for its length is cut further, whatever the limit is."""

    def fault(request: aimlapi_server.Request) -> aimlapi_server.Response | None:
        longest = max(len(text) for text in request.texts)
        return error(400, f"input is too long: {longest} > 500") if longest > 500 else None

    api.models["tiny"] = 64
    api.fault = fault
    text = "".join(f"This is sentence {number:03} about a parcel. " for number in range(60))
    vector = embedclf.open_embedder("aimlapi:tiny").embed([text])[0]
    sent = [text for text in api.texts_sent if text != "hello"]
    assert "".join(sorted(sent, key=text.index)) == text
    assert vector @ aimlapi_server.embed(text, "tiny", 64) > 0.9


def test_a_short_text_is_not_cut(api: AimlapiServer):
    """What surely fits is not refused for its length, whatever the refusal speaks of."""
    api.fault = lambda request: error(400, "token smuggling is forbidden") if "BAD" in request.texts[0] else None
    with pytest.raises(embedclf.TextError, match="smuggling"):
        embedclf.open_embedder(SMALL_MODEL).embed(["BAD " * 100])
    assert api.texts_sent == ["hello"]


def test_pieces_are_kept_and_sent_together(api: AimlapiServer):
    """What was paid for is not paid for again, though the text itself failed; what texts share is sent once."""
    api.delay = 0.1
    part = "".join(f"This is sentence {number:04} of what they share. " for number in range(170))[:8_190] + "\n"
    texts = [part * 5 + f"This is text {number}. " * 1_000 for number in range(4)]

    def fault(request: aimlapi_server.Request) -> aimlapi_server.Response | None:
        ends = any("text 2" in text and len(text) < 8_192 for text in request.texts)
        return error(403, "You've run out of credits") if ends else None

    api.fault = fault
    embedder = embedclf.open_embedder(SMALL_MODEL, cache=True, batch_size=4)
    with pytest.raises(embedclf.EmbedderError, match=r"returned 403: .*; results received before are in the cache"):
        embedder.embed([*texts, "a short one"])
    assert api.texts_sent.count(part) == 1
    api.fault = None
    sent = len(api.texts_sent)
    embedder.embed(texts)
    assert api.most_at_once > 1
    again = set(api.texts_sent[:sent]) & set(api.texts_sent[sent:])
    assert again <= {"hello"}
    assert embedder.usage.from_cache == 0
    assert embedder.usage.texts == 9


def test_a_piece_that_is_refused_refuses_the_text(api: AimlapiServer):
    """With the reason; the others are embedded."""
    api.fault = lambda request: error(400, "flagged") if any("BAD" in text for text in request.texts) else None
    long = "All is well here. " * 2_500 + "BAD. " + "All is well here. " * 2_500
    with pytest.raises(embedclf.TextError) as caught:
        embedclf.open_embedder(SMALL_MODEL, cache=True).embed(["one", long, "two"])
    assert list(caught.value.reasons) == [1]
    assert "“flagged”" in caught.value.reasons[1]
    assert {"one", "two"} <= set(api.texts_sent)


def test_a_long_text_that_is_refused_for_something_else_is_not_cut(api: AimlapiServer):
    """Its pieces might be accepted, and that is not what was meant."""
    api.fault = lambda request: error(400, "flagged") if any(len(text) > 20_000 for text in request.texts) else None
    with pytest.raises(embedclf.TextError, match="flagged"):
        embedclf.open_embedder(SMALL_MODEL).embed(["well " * 5_000])
    assert api.texts_sent == ["hello"]
