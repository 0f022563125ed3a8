"""WordLlama: its own vectors, without its padding, its NaN and its network."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wordllama

import embedclf
from conftest import TEXTS
from embedclf.embedding.wordllama import _PIECE_CHARACTERS, WordLlamaEmbedder


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


@pytest.fixture(scope="module")
def peer():
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def test_the_vectors_are_wordllamas_own(embedder: WordLlamaEmbedder, peer):
    """Equal to WordLlama.embed(norm=True) for texts of all kinds, unit length, float32."""
    texts = [
        *TEXTS,
        "a",
        "  leading",
        "double  spaces",
        "emoji 🙂 ünï",
        "日本語のテキスト",
        "\0",
        "x" * 500,
        "a\nb\tc",
    ]
    vectors = embedder.embed(texts)
    np.testing.assert_allclose(vectors, peer.embed(texts, norm=True), atol=2e-6)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), 256)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_shorter_vectors_are_wordllamas_own(peer):
    """64 and 128 dimensions are those that WordLlama cuts to."""
    for dimensions in (64, 128):
        short = wordllama.WordLlama.load(
            cache_dir=Path(wordllama.__file__).parent, disable_download=True, trunc_dim=dimensions
        )
        vectors = WordLlamaEmbedder(dimensions=dimensions).embed(TEXTS)
        np.testing.assert_allclose(vectors, short.embed(TEXTS, norm=True), atol=2e-6)


def test_a_long_text_in_pieces_is_the_same_as_whole(embedder: WordLlamaEmbedder, peer):
    """Cut at spaces and averaged by token count, the vector is that of the whole text."""
    words = " ".join(TEXTS * 40)
    assert len(words) > 3 * _PIECE_CHARACTERS
    np.testing.assert_allclose(embedder.embed([words]), peer.embed([words], norm=True), atol=1e-5)
    unbroken = "abcdefgh" * 2_000
    assert embedder.embed([unbroken])[0] @ peer.embed([unbroken], norm=True)[0] > 0.999


def test_a_text_has_the_same_vector_in_any_company(embedder: WordLlamaEmbedder):
    """To the bit, in any order, also when long texts stand between."""
    rng = np.random.default_rng(0)
    texts = [*TEXTS, " ".join(TEXTS * 20), "short"]
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    order = rng.permutation(len(texts))
    assert (embedder.embed([texts[i] for i in order]) == alone[order]).all()


@pytest.mark.parametrize("bad", ["", "  \n", "\ud800"])
def test_what_has_no_vector_is_an_error_with_its_index(embedder: WordLlamaEmbedder, bad: str):
    """Never NaN, never a warning."""
    with pytest.raises(
        embedclf.TextError, match=r"1 of the texts cannot be embedded \(texts\[1\]: the text "
    ) as caught:
        embedder.embed(["good", bad, "good"])
    assert list(caught.value.reasons) == [1]


def test_no_texts_give_no_vectors(embedder: WordLlamaEmbedder):
    """Shape (0, 256)."""
    assert embedder.embed([]).shape == (0, 256)


def test_it_can_be_sent_to_another_process(embedder: WordLlamaEmbedder):
    """Pickled, it is a name that is opened again, not 32 MB of weights."""
    data = pickle.dumps(embedder)
    assert len(data) < 200
    assert (pickle.loads(data).embed(["a text"]) == embedder.embed(["a text"])).all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of its memory from /proc")
def test_a_huge_text_among_short_ones_takes_little_memory():
    """A 10 MB text among 63 short ones: under 500 MB, everything included."""
    code = (
        "from embedclf.embedding.wordllama import WordLlamaEmbedder\n"
        "texts = ['a short text'] * 63 + ['where is my parcel? ' * 500_000]\n"
        "vectors = WordLlamaEmbedder().embed(texts)\n"
        "assert vectors.shape == (64, 256)\n"
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) * 1024 < 500e6


def test_it_never_asks_the_network():
    """With every socket forbidden it loads and embeds."""
    code = (
        "import socket\n"
        "def refuse(*args, **kwargs): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from embedclf.embedding.wordllama import WordLlamaEmbedder\n"
        "print(WordLlamaEmbedder().embed(['a text']).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "(1, 256)\n", done.stderr


def test_where_it_is_not_installed_the_error_names_the_ways_out(monkeypatch: pytest.MonkeyPatch):
    """The cause (no wheel for this Python or machine) and what to do."""
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(embedclf.EmbedderError) as caught:
        embedclf.open_embedder("wordllama")
    assert "its wheels are for Python 3.11 to 3.13 on Linux x86_64" in str(caught.value)
    assert "pip install 'wordllama>=0.4.0.post1,<0.5'" in str(caught.value)


def test_it_leaves_the_programs_logging_alone():
    """WordLlama sets up the root logger when it is imported; we undo that."""
    code = (
        "import logging, embedclf; embedclf.open_embedder('wordllama')\n"
        "assert not logging.getLogger().handlers and logging.getLogger().level == logging.WARNING\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
