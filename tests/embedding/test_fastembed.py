import json
import logging
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embedclf
from corpus import QUICKLY, TEXTS
from hub_server import HubServer
from running import Cli
from tiny_onnx import hidden_of, make_folder, weights_of

WEIGHTS = weights_of(8)
TEXT = "Where is my parcel?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "tiny")


def opened(path: object, **settings: object) -> embedclf.Embedder:
    return embedclf.open_embedder(f"fastembed:{path}", **settings)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


POOLS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda hidden: hidden.mean(axis=0),
    "cls": lambda hidden: hidden[0],
    "max": lambda hidden: hidden.max(axis=0),
    "lasttoken": lambda hidden: hidden[-1],
    "mean_sqrt_len": lambda hidden: hidden.mean(axis=0),
    "weightedmean": lambda hidden: np.average(hidden, axis=0, weights=range(1, len(hidden) + 1)),
    None: lambda hidden: hidden.mean(axis=0),
}


@pytest.mark.parametrize("pooling", POOLS)
def test_vectors_are_pooled_as_the_folder_says(tmp_path: Path, pooling: str | None, caplog: pytest.LogCaptureFixture):
    """Alone or beside longer texts, which they are padded for; what is assumed is said."""
    model = opened(make_folder(tmp_path / "m", pooling=pooling))
    expected = [unit(POOLS[pooling](hidden_of(text, WEIGHTS))) for text in TEXTS]
    np.testing.assert_allclose(model.embed(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(model.embed([TEXT])[0], unit(POOLS[pooling](hidden_of(TEXT, WEIGHTS))), atol=1e-6)
    assumed = f"fastembed:{tmp_path / 'm'} does not say how the vectors of tokens become one of the text"
    assert [record.getMessage().startswith(assumed) for record in caplog.records] == [True] * (pooling is None)


def test_a_folder_may_be_as_other_tools_write_it(tmp_path: Path):
    """An output that is pooled, other inputs, the ONNX file elsewhere, weights beside it, hardly any JSON."""
    mean = [unit(hidden_of(text, WEIGHTS).mean(axis=0)) for text in TEXTS]
    np.testing.assert_allclose(
        opened(make_folder(tmp_path / "a", onnx="onnx/model.onnx")).embed(TEXTS), mean, atol=1e-6
    )
    bare = make_folder(tmp_path / "b", onnx="model_quantized.onnx", inputs=("input_ids",))
    for name in ("config.json", "tokenizer_config.json", "special_tokens_map.json"):
        (bare / name).unlink()
    np.testing.assert_allclose(opened(bare).embed(TEXTS), mean, atol=1e-6)  # it cannot pad
    beside = make_folder(tmp_path / "c", external="weights.bin")
    (beside / "weights.bin").write_bytes(WEIGHTS.tobytes())
    np.testing.assert_allclose(opened(beside).embed(TEXTS), mean, atol=1e-6)
    pooled = opened(make_folder(tmp_path / "d", pooled_output=True, pooling="cls")).embed([TEXT])[0]
    n = len(hidden_of(TEXT, WEIGHTS))
    np.testing.assert_allclose(pooled, unit(hidden_of(TEXT, WEIGHTS).sum(axis=0) / (n + 1)), atol=1e-6)


def test_nothing_of_a_long_text_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """It is embedded in pieces, and so said; also where only its beginning is tokenized."""
    caplog.set_level(logging.INFO)
    folder = make_folder(tmp_path / "m", max_tokens=8)
    model = opened(folder)
    long = [f"{beginning} {TEXT * 40} {end}" for beginning in ("refund", " " * 9_000) for end in ("money", "password")]
    vectors = model.embed([*long, TEXT])
    assert not np.allclose(vectors[0], vectors[1], atol=1e-4)
    assert not np.allclose(vectors[2], vectors[3], atol=1e-4)
    assert caplog.messages == [
        f"4 texts are longer than {model.spec.model} accepts: embedded in pieces and averaged, weighted by length."
    ]
    np.testing.assert_allclose(vectors[4], unit(hidden_of(TEXT, WEIGHTS).mean(axis=0)), atol=1e-6)


def test_a_folder_is_known_by_its_content(tmp_path: Path, folder: Path):
    """Wherever it is, and not by its README: neither the cache nor an open embedder takes one model for another."""
    first = opened(folder, cache=True)
    vectors = first.embed(TEXTS)
    (folder / "README.md").write_text("Read me")
    moved = opened(shutil.copytree(folder, tmp_path / "moved"), cache=True)
    assert moved.spec == first.spec
    assert np.array_equal(moved.embed(TEXTS), vectors)
    assert moved.usage.from_cache == len(TEXTS)
    late = opened(folder)
    shutil.rmtree(folder)
    make_folder(folder, seed=1)
    other = opened(folder, cache=True)
    assert not np.allclose(other.embed(TEXTS), vectors)
    assert other.usage.from_cache == 0
    with pytest.raises(embedclf.EmbedderError, match=f"was {first.spec.model}, and is now {other.spec.model}"):
        late.embed(TEXTS)


def test_a_model_file_names_no_folder(cli: Cli, dataset: Path, folder: Path, tmp_path: Path):
    """The folder is passed again to load it, and must have the same content."""
    done = cli("train", dataset, "--embedder", "fastembed:./tiny", *QUICKLY, "-o", "m.safetensors")
    name = str(opened(folder).spec)
    assert done.exit_code == 0
    assert done.stderr.splitlines()[1] == f"Embedder: {name} (dimensions set by the model)"
    assert "$" not in done.stderr
    assert b"tiny" not in Path("m.safetensors").read_bytes()
    alone = cli("predict", "-m", "m.safetensors", TEXT)
    assert alone.stderr == (
        f"Error: m.safetensors was trained with an embedder in a folder ({name}): a model file cannot choose which "
        "folder to read, so pass it with --embedder fastembed:/PATH (embedder=…)\n"
    )
    assert cli("predict", "-m", "m.safetensors", "--embedder", f"fastembed:{folder}", TEXT).stdout.startswith(
        "delivery\t"
    )
    other = opened(make_folder(tmp_path / "other", seed=1)).spec
    wrong = cli("predict", "-m", "m.safetensors", "--embedder", "fastembed:./other", TEXT)
    assert wrong.stderr == (
        f"Error: m.safetensors was trained with {name} (8 dimensions), but the embedder is {other} (8 dimensions)\n"
    )
    again = ("retrain", "m.safetensors", "--train-set", dataset, "--embedder", "fastembed:./tiny", "--no-cache")
    prompted = cli(*again, "--prompt", "q: ", "-o", "n.safetensors")
    assert "cannot be opened" not in prompted.stderr
    assert "the same for both" in prompted.stdout
    dry = cli("train", dataset, "--embedder", "fastembed:./tiny", "--dry-run")
    assert dry.stdout == "30 rows, 30 unique, 30 cached, 0 to embed, free\n"


def test_it_reaches_other_processes(folder: Path, tmp_path: Path):
    """Pickled, divided among processes, and forked; a file that must run no code does not say which folder to read."""
    model = opened(folder)
    vectors = model.embed(TEXTS)
    for other in (pickle.loads(pickle.dumps(model)), model.split(4)):
        np.testing.assert_allclose(other.embed(TEXTS), vectors, atol=1e-6)
    if (child := os.fork()) == 0:
        try:
            os._exit(0 if np.allclose(model.embed(TEXTS), vectors, atol=1e-6) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(embedclf.EmbedderError, match="cannot be stored: a file cannot choose which folder is read"):
        model._behind.__getstate__()  # type: ignore[attr-defined]
    assert model.is_local
    assert model.usage.dollars == 0.0
    assert model.max_concurrency is None


FOLDERS: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "no model": ({"onnx": "no/model.onnx"}, {}, "has no ONNX model (model.onnx or onnx/model.onnx); make one"),
    "two": (
        {"onnx": "a.onnx"},
        {"b.onnx": ""},
        "has several ONNX models (a.onnx, b.onnx): rename the one to use to model.onnx",
    ),
    "damaged": ({}, {"model.onnx": "no"}, "model.onnx cannot be loaded: [ONNXRuntimeError]"),
    "an image": (
        {"inputs": ("input_ids", "pixels")},
        {},
        "not a model of texts alone: its inputs are input_ids, pixels",
    ),
    "no tokens": ({"max_tokens": 2}, {}, "takes 2 tokens, 2 of them special, which leaves none for a text"),
    "tokenizer": ({}, {"tokenizer.json": "{}"}, "tokenizer.json cannot be loaded: "),
    "no tokenizer": ({}, {"tokenizer.json": None}, "has no tokenizer.json"),
    "JSON": ({}, {"config.json": "{"}, "config.json cannot be read: "),
    "no object": ({}, {"config.json": "[]"}, "config.json is not a JSON object"),
    "pooling": ({"pooling": "best"}, {}, "config.json asks for pooling by best; embedclf knows cls, max, mean"),
    "outside": ({"external": "../weights.bin"}, {"../weights.bin": "w"}, "External data path escapes model directory"),
    "a secret": ({"external": "/etc/passwd"}, {}, "Absolute path not allowed"),
    "dense": (
        {},
        {"modules.json": json.dumps([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])},
        "has Dense, which model.onnx does not contain: export it with an output sentence_embedding",
    ),
    "upward": (
        {},
        {"modules.json": json.dumps([{"type": "x.Pooling", "path": "../.."}])},
        "modules.json is not as sentence-transformers writes it",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, case: str):
    how, files, message = FOLDERS[case]
    folder = make_folder(tmp_path / "in" / "m", **how)  # type: ignore[arg-type]
    for name, content in files.items():
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_text(str(content))
    with pytest.raises(embedclf.EmbedderError) as raised:
        opened(folder).embed([TEXT])
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fastembed:./nowhere"], "fastembed:{here}/nowhere is not a folder"),
        (["fastembed:./small.csv"], "fastembed:{here}/small.csv is a file: pass its folder"),
        (["fastembed:tiny"], "unknown model fastembed:tiny. For the folder of this name: fastembed:./tiny"),
        (
            ["fastembed:folder@0123456789abcdef"],
            "unknown model fastembed:folder@0123456789abcdef. It was in a folder, known by its content: pass its path, "
            "fastembed:/path/to/folder",
        ),
        (
            ["fastembed", "--dimensions", 128],
            "fastembed:BAAI/bge-small-en-v1.5 supports only 384 dimensions: its vectors cannot be shortened",
        ),
        (
            ["fastembed:./tiny", "--dimensions", 4],
            "{name} returned vectors of shape (30, 8), expected (30, 4), and its vectors cannot be shortened",
        ),
    ],
)
def test_what_cannot_be_opened(cli: Cli, dataset: Path, folder: Path, args: list[object], message: str):
    done = cli("train", dataset, "--embedder", *args, "--max-cost", 0)
    expected = message.format(here=Path.cwd(), name=opened(folder).spec)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, f"Error: {expected}")


def test_a_name_that_fastembed_does_not_have():
    with pytest.raises(embedclf.EmbedderError) as raised:
        opened("baai/bge-smal-en-v1.5")
    assert str(raised.value).startswith(
        "unknown model fastembed:baai/bge-smal-en-v1.5. Did you mean BAAI/bge-small-en-v1.5 or "
    )
    assert "python -c \"import fastembed as f; print(*(m['model'] for m in" in str(raised.value)
    assert opened("THENLPER/gte-base").spec == embedclf.open_embedder("fastembed:thenlper/gte-base").spec


def test_the_extra_that_is_missing(cli: Cli, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if "editable" not in repr(one).lower()])
    monkeypatch.delitem(sys.modules, "fastembed", raising=False)
    done = cli("train", dataset, "--embedder", "fastembed")
    assert done.stderr.endswith("Error: the fastembed embedder is not installed: pip install 'embedclf[fastembed]'\n")


def test_a_named_model_is_downloaded_once(
    cli: Cli, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """Said before it happens, with nothing else on the terminal; not to estimate a cost, and never again."""
    files = make_folder(tmp_path / "hub", dimensions=384, onnx="model_optimized.onnx", pooling=None)
    kept = Path(os.environ["EMBEDCLF_CACHE_DIR"]) / "fastembed"
    train = ("train", dataset, "--embedder", "fastembed", *QUICKLY, "-o", "m.safetensors")
    monkeypatch.setenv("HF_TOKEN", "hf_never_to_be_seen")
    with HubServer(files, "Qdrant/bge-small-en-v1.5-onnx-Q") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert cli(*train, "--dry-run").exit_code == 0
        assert hub.requests == []
        done = cli(*train)
        assert done.stderr.splitlines()[1:3] == [
            "Embedder: fastembed:BAAI/bge-small-en-v1.5 (384 dimensions)",
            f"Downloading BAAI/bge-small-en-v1.5 (about 67 MB) from {hub.url}/Qdrant/bge-small-en-v1.5-onnx-Q "
            f"to {kept}, once.",
        ]
        n = len(hub.requests)
        assert n > 0
        assert cli("predict", "-m", "m.safetensors", "a parcel that is new").stdout.startswith("delivery\t")
        vector = opened("BAAI/BGE-small-en-v1.5").embed([TEXT])[0]
        assert len(hub.requests) == n
    np.testing.assert_allclose(vector, unit(hidden_of(TEXT, weights_of(384))[0]), atol=1e-6)  # of the first token
    assert capfd.readouterr() == ("", "")
    with pytest.raises(embedclf.EmbedderError) as raised:
        opened("BAAI/bge-base-en-v1.5").embed([TEXT])
    assert str(raised.value).startswith(
        f"fastembed:BAAI/bge-base-en-v1.5 is not on this machine and cannot be downloaded from {hub.url}: "
    )
    assert "hf_never" not in f"{done.output}{raised.value}"


def test_every_listed_model_is_one_of_fastembeds():
    from fastembed import TextEmbedding

    from embedclf.embedding.fastembed_names import LISTED

    described = {one["model"]: one for one in TextEmbedding.list_supported_models()}
    for one in LISTED:
        assert described[one.name]["dim"] == one.dimensions
        assert ("English," in described[one.name]["description"]) == one.english_only
        assert f"{one.input_tokens} input tokens" in described[one.name]["description"]
