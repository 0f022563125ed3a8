"""WordLlama: its own vectors, without its padding, its NaN and its network."""

import json
import os
import pickle
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import wordllama
from packaging.requirements import Requirement
from safetensors.numpy import save_file

import embedclf
from corpus import ROOT, TEXTS
from embedclf.embedding.wordllama import _FEW_TOKENS, _PIECE_CHARACTERS, _TOKENIZER, _WEIGHTS, WordLlamaEmbedder

PACKAGE = Path(wordllama.__file__).parent


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


@pytest.fixture(scope="module")
def peer():
    return wordllama.WordLlama.load(cache_dir=PACKAGE, disable_download=True)


def test_the_vectors_are_wordllamas_own(embedder: WordLlamaEmbedder, peer):
    """Equal to WordLlama.embed(norm=True) for texts of all kinds, unit length, float32."""
    texts = [
        *TEXTS,
        "a",
        "  leading",
        "double  spaces",
        "emoji 🙂 ünï",
        "日本語のテキスト",
        "a\0b",
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
        short = wordllama.WordLlama.load(cache_dir=PACKAGE, disable_download=True, trunc_dim=dimensions)
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
    with pytest.raises(embedclf.TextError, match=r"1 text cannot be embedded \(texts\[1\]: the text ") as caught:
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of its memory from /proc")
@pytest.mark.exhaustive
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


@pytest.mark.parametrize("dimensions", [64, 128, 256])
def test_the_vectors_of_tokens_are_wordllamas_own_to_the_bit(peer, dimensions: int):
    """Converted one by one and all together, they are those that the package has in memory."""
    expected = peer.embedding[:, :dimensions]
    embedder = WordLlamaEmbedder(dimensions=dimensions)
    few = np.arange(0, len(expected), 100)
    assert len(few) < _FEW_TOKENS
    assert embedder._vectors_of(few).tobytes() == expected[few].tobytes()
    assert embedder._token_vectors.dtype == np.float16
    assert embedder._vectors_of(np.arange(len(expected))).tobytes() == expected.tobytes()
    assert embedder._token_vectors.dtype == np.float32
    assert embedder._vectors_of(few).tobytes() == expected[few].tobytes()


def test_a_text_has_the_same_vector_early_and_late():
    """To the bit, before and after so many were embedded that all vectors of tokens are converted."""
    embedder = WordLlamaEmbedder()
    early = embedder.embed(TEXTS)
    embedder.embed(["word " * _FEW_TOKENS])
    assert embedder.embed(TEXTS).tobytes() == early.tobytes()


def test_where_it_is_not_installed_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch):
    """Also where a folder happens to have its name."""
    message = r"^the WordLlama embedder is not installed: pip install 'wordllama==0\.2\.2\.post0'$"
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(embedclf.EmbedderError, match=message):
        embedclf.open_embedder("wordllama")
    folder = ModuleSpec("wordllama", None, is_package=True)
    monkeypatch.setattr("embedclf.embedding.wordllama.find_spec", lambda name: folder)
    with pytest.raises(embedclf.EmbedderError, match=message):
        embedclf.open_embedder("wordllama")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A WordLlama of ours, whose code cannot be run."""
    package = tmp_path / "packages" / "wordllama"
    for name in (_WEIGHTS, _TOKENIZER):
        (package / name).parent.mkdir(parents=True)
        (package / name).symlink_to(PACKAGE / name)
    (package / "__init__.py").write_text("raise AssertionError('it is imported')")
    monkeypatch.delitem(sys.modules, "wordllama")
    monkeypatch.syspath_prepend(package.parent)
    return package


def test_its_code_is_not_run(copy: Path, embedder: WordLlamaEmbedder):
    """Two files of the package are read; they may be links, as some installers make them."""
    assert WordLlamaEmbedder().embed(TEXTS).tobytes() == embedder.embed(TEXTS).tobytes()
    assert "wordllama" not in sys.modules


def cut_off(file: Path) -> None:
    file.write_bytes((PACKAGE / file.parent.name / file.name).read_bytes()[:-1_000])


def of_another_vocabulary(file: Path) -> None:
    content = json.loads((PACKAGE / _TOKENIZER).read_text(encoding="utf-8"))
    content["added_tokens"].append({**content["added_tokens"][0], "id": 32_000, "content": "<another>"})
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage", "why"),
    [
        (_WEIGHTS, lambda file: None, "file not found: .*l2_supercat_256.safetensors"),
        (_WEIGHTS, os.mkfifo, "file not found: .*l2_supercat_256.safetensors"),
        (_WEIGHTS, cut_off, ".*l2_supercat_256.safetensors: .+"),
        (_WEIGHTS, lambda file: save_file({"other": np.zeros(3)}, file), ".*l2_supercat_256.safetensors: .+"),
        (
            _WEIGHTS,
            lambda file: save_file({"embedding.weight": np.zeros((10, 256), np.float16)}, file),
            r".*: expected float16 vectors of shape \(32000, 256\), got float16 of shape \(10, 256\)",
        ),
        (
            _WEIGHTS,
            lambda file: save_file({"embedding.weight": np.zeros((32_000, 256), np.float32)}, file),
            r".*: expected float16 vectors .*, got float32 of shape .*",
        ),
        (_TOKENIZER, lambda file: None, "file not found: .*l2_supercat_tokenizer_config.json"),
        (_TOKENIZER, Path.mkdir, "file not found: .*l2_supercat_tokenizer_config.json"),
        (_TOKENIZER, cut_off, ".*l2_supercat_tokenizer_config.json: .+"),
        (_TOKENIZER, of_another_vocabulary, r".*: expected float16 vectors of shape \(32001, 256\), .*"),
    ],
)
def test_a_damaged_package_is_one_error(copy: Path, name: str, damage: Callable[[Path], object], why: str):
    """It tells which file, what is wrong with it, and how to mend it."""
    (copy / name).unlink()
    damage(copy / name)
    again = r"reinstall it: pip install --force-reinstall --no-deps 'wordllama==0\.2\.2\.post0'"
    with pytest.raises(
        embedclf.EmbedderError, match=rf"^WordLlama is installed but cannot be loaded \({why}\); {again}$"
    ):
        WordLlamaEmbedder()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14", "3.15"])
@pytest.mark.parametrize(
    ("system", "machine", "compiled"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", False),
        ("linux", "ppc64le", False),
        ("darwin", "arm64", True),
        ("darwin", "x86_64", True),
        ("win32", "AMD64", True),
        ("win32", "ARM64", False),
        ("freebsd15", "x86_64", False),
        ("freebsd15", "AMD64", False),
    ],
)
def test_it_is_asked_for_once_and_in_a_version_that_has_a_wheel(python: str, system: str, machine: str, compiled: bool):
    """A compiled one for CPython up to 3.13 on three systems, else the pure one."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [one for one in map(Requirement, asked["project"]["dependencies"]) if one.name == "wordllama"]
    for implementation in ("CPython", "PyPy"):
        environment = {
            "python_version": python,
            "sys_platform": system,
            "platform_machine": machine,
            "platform_python_implementation": implementation,
        }
        (one,) = [one for one in wanted if one.marker is not None and one.marker.evaluate(environment)]
        assert "0.2.2.post0" in one.specifier
        newest = compiled and implementation == "CPython" and python in ("3.11", "3.12", "3.13")
        assert ("0.4.0.post1" in one.specifier) == newest
