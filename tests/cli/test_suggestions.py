"""What is said to a command, an option, a value or a name that is mistyped."""

import shutil
from pathlib import Path

import pytest

from running import Cli


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("splt t.csv", "No such command 'splt'. Did you mean split?"),
        ("cache prun", "No such command 'prun'. Did you mean prune?"),
        ("cache nothing-like-it", "No such command 'nothing-like-it'."),
        ("train t.csv --ouput m", "No such option '--ouput'. Did you mean --output?"),
        (
            "train t.csv --features wrods",
            "Invalid value for '--features': 'wrods' is not one of 'auto', 'embedding', 'words', 'both'. "
            "Did you mean words?",
        ),
        (
            "train t.csv --task clasification",
            "Invalid value for '--task': 'clasification' is not one of 'classification', 'clustering', 'similarity', "
            "'none'. Did you mean classification?",
        ),
    ],
)
def test_a_mistyped_word_gets_a_suggestion(cli: Cli, line: str, message: str):
    """A usage error, which says what may have been meant."""
    result = cli(*line.split())
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


def test_a_mistyped_name_gets_a_suggestion(cli: Cli, dataset: Path, model: Path):
    """Of a column, a label, an embedder or a model file."""
    words = ("--features", "words", "--C", 1, "--holdout", 0)
    dataset.with_name("words.csv").touch()
    Path("models").mkdir()
    shutil.copy(model, "models")
    for args, message in [
        (("train", dataset, "--text-column", "txet"), "Did you mean --text-column text?"),
        (("train", dataset, *words, "--target-recall", "refnd=0.8"), "did you mean refund?"),
        (("train", dataset, "--embedder", "wordlama"), "Did you mean wordllama?"),
        (("train", dataset, "--embedder", "text-embeding-3-small"), "Did you mean aimlapi:text-embedding-3-small?"),
        (("train", dataset, "--embedder", "aimlpi"), "Did you mean aimlapi:text-embedding-3-small?"),
        (("train", dataset.with_name("wrods")), f"Did you mean {dataset.with_name('words.csv')}?"),
        (("predict", "hello", "-m", model.with_name("smal.safetensors")), f"Did you mean {model}?"),
        (("info", "smal"), "model not found: smal. Did you mean models/small.safetensors?"),
        (("evaluate", dataset, "-m", "small"), "model not found: small. Did you mean models/small.safetensors?"),
    ]:
        result = cli(*args)
        assert result.exit_code == 1
        assert message in result.stderr.replace("'", "")
