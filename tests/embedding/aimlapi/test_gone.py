"""Models that AI/ML API no longer serves: what replaces them is said before anything is sent."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import aimlapi_server
import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, QUICKLY, TEXTS, write_csv
from embedclf.classifier.model_file import write_model
from embedclf.embedding.aimlapi.base_url import BASE_URL
from embedclf.embedding.aimlapi.catalogue import CATALOGUE, GONE
from embedclf.embedding.base import EmbedderSpec
from embedclf.embedding.cache.keys import hash_texts
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli

GOOGLES = "text-multilingual-embedding-002"
BGE = "BAAI/bge-base-en-v1.5"
WHAT = f"AI/ML API no longer serves {BGE} (deprecated on 30 March 2026): use aimlapi:text-embedding-3-small instead. "


@pytest.fixture
def old(trained: embedclf.TextClassifier) -> EmbedderSpec:
    """What a model file of such a model, which lies in the folder, was trained with."""
    spec = EmbedderSpec("aimlapi", BGE, trained.model.weights.shape[1], BASE_URL)
    write_model("my old.safetensors", trained.model, replace(trained.card, embedder=spec))
    return spec


def test_what_replaces_them_is_served():
    """Each by a model in the catalogue."""
    assert not GONE.keys() & CATALOGUE.keys()
    assert {gone.successor for gone in GONE.values()} <= CATALOGUE.keys()


@pytest.mark.parametrize("command", ["train d.csv --dry-run", "check d.csv", "compare d.csv", "cluster d.csv"])
def test_work_begins_with_no_such_model(cli: Cli, command: str):
    """Not even a dry run, nor without a key."""
    Path("d.csv").write_text("text,label\na b,x\nc d,y\ne f,x\ng h,y\n")
    for model, successor in ((BGE, "text-embedding-3-small"), ("textembedding-gecko@003", GOOGLES)):
        result = cli(*command.split(), "--embedder", f"aimlapi:{model}")
        assert result.exit_code == 1
        assert f"Error: AI/ML API no longer serves {model} (" in result.stderr
        assert f"): use aimlapi:{successor} instead. To retrain a model that was trained with it: " in result.stderr
        assert f"embedclf retrain MODEL --embedder aimlapi:{successor}\n" in result.stderr


def test_a_model_file_of_one(cli: Cli, old: EmbedderSpec, dataset: Path):
    """The error has the command to copy; a service does not start. What is in the cache is still of use."""
    message = f"{WHAT}To retrain it on the same data: embedclf retrain 'my old.safetensors' --embedder "
    write_csv(Path("more.csv"), [(f'"{text}"', label) for text, label in zip(TEXTS, LABELS, strict=True)][:-1])
    for command in (
        ["predict", "a text", "-m"],
        ["serve", "-m"],
        ["evaluate", dataset, "--dry-run", "-m"],
        ["retrain", "--train-set", "more.csv", "-o", "new.safetensors"],
    ):
        result = cli(*command, "my old.safetensors")
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"Error: {message}aimlapi:text-embedding-3-small\n" in result.stderr
    # What is neither sent nor paid for is not estimated either.
    dry = cli("retrain", "my old.safetensors", "--train-set", dataset, "--embedder", "wordllama", "--dry-run")
    assert dry.stdout == "wordllama:l2_supercat: free (runs locally)\nTotal: free\n"
    assert f"\nIt cannot be opened ({WHAT.rstrip('. ')}): its vectors can only come from the cache\n" in dry.stderr
    vectors = np.eye(2, old.dimensions, dtype=np.float32)
    VectorCache().of_model(old).write(hash_texts(["one", "two"]), vectors, 0)
    for also in ([], ["--dry-run"]):
        assert cli("predict", "one", "two", "-m", "my old.safetensors", *also).exit_code == 0


def test_another_server_may_serve_it(cli: Cli, api: AimlapiServer, dataset: Path):
    """Whatever AI/ML API does; once it does not know the model, the same is said."""
    api.models[BGE] = 768
    command = ("train", dataset, *QUICKLY, "--embedder", f"aimlapi:{BGE}", "-o", "m.safetensors")
    assert cli(*command).exit_code == 0
    np.testing.assert_allclose(
        embedclf.load("m.safetensors").embedder.embed(TEXTS[:1])[0], aimlapi_server.embed(TEXTS[0], BGE, 768), atol=1e-6
    )
    api.hidden.add(BGE)
    result = cli("predict", "another text", "-m", "m.safetensors")
    assert result.exit_code == 1
    assert f"returned 404: “The model '{BGE}' does not exist”" in result.stderr
    assert f"{WHAT}To retrain it on the same data: embedclf retrain m.safetensors --embedder" in result.stderr
    # Of a model that is in no list, nothing more is known.
    assert "retrain" not in cli("predict", "a text", "-m", "m.safetensors", "--embedder", "aimlapi:other").stderr
