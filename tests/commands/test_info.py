"""``embedclf info``, at the command line."""

import json
import sys
from pathlib import Path

import pytest

import embedclf
from corpus import LABELS, QUICK, TEXTS
from embedclf.printing.markdown import markdown_of
from running import Cli

FIRST = Path(__file__).parents[1] / "support" / "written_by_0_1_0" / "model.safetensors"


@pytest.fixture
def words(dataset: Path) -> Path:
    """A model that needs no embedder, with a measured accuracy."""
    settings = {**QUICK, "features": "words", "holdout": 0.2}
    path = Path("words.safetensors")
    embedclf.train(TEXTS, LABELS, **settings).save(path)
    return path


def test_it_says_what_the_model_is_and_how_to_use_it(cli: Cli, words: Path):
    """Each line, with the numbers of training rows."""
    result = cli("info", words)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "words.safetensors",
        "gives       one label per text",
        "classes     3: delivery (10), password (10), refund (10)",
        lines[3],
    ]
    assert lines[3].startswith("features    words and pairs of words (")
    assert "head        logistic, C = 1" in lines
    assert "abstains    never" in lines
    assert "trained on  30 rows" in lines
    assert any(line.startswith("Held-out test (6 rows): accuracy ") for line in lines)
    assert any(line.startswith("Accuracy: 95 % interval 0.") for line in lines)
    assert lines[-8:] == [
        "Use it:",
        '  embedclf predict "a text" -m words.safetensors',
        "  embedclf evaluate FILE -m words.safetensors",
        "  embedclf serve -m words.safetensors",
        "In Python:",
        "  import embedclf",
        '  classifier = embedclf.load("words.safetensors")',
        '  classifier.predict(["a text"])',
    ]


def test_it_names_the_files_and_the_columns(cli: Cli, dataset: Path):
    """As far as the model file records them."""
    Path("t.csv").write_text(dataset.read_text().replace("text,label", "message,topic", 1))
    quickly = ("--features", "words", "--C", 1, "--holdout", 0)
    assert cli("train", "t.csv", *quickly).exit_code == 0
    result = cli("info")
    assert "trained on  30 rows of t.csv (columns message, topic)" in result.stdout
    assert "No rows were held out: accuracy is not known." in result.stdout
    assert result.stderr == "Model: models/t.safetensors (most recently trained)\n"


def test_the_json_has_everything(cli: Cli, words: Path):
    """With the names of `to_dict`, and no more than the file holds."""
    shown = json.loads(cli("info", words, "--json").stdout)
    assert embedclf.load(words).to_dict().items() <= shown.items()
    assert shown["training"]["label_counts"] == {"delivery": 10, "password": 10, "refund": 10}
    assert shown["file"] == {"name": "words.safetensors", "bytes": words.stat().st_size, "format": 2}
    low, high = shown["accuracy_interval"]
    assert low <= shown["held_out"]["accuracy"] <= high


def test_a_file_of_the_first_version_has_no_counts(cli: Cli):
    """What it does not say is left out."""
    result = cli("info", FIRST)
    assert result.exit_code == 0
    assert "written by embedclf 0.1.0" in result.stdout
    assert " (10)" not in result.stdout
    assert json.loads(cli("info", FIRST, "--json").stdout)["training"] is None


def test_the_embedder_need_not_be_there(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch):
    """Nor a key."""
    monkeypatch.setitem(sys.modules, "wordllama", None)
    monkeypatch.setattr("embedclf.embedding.factory.reopen_embedder", None)
    result = cli("info", model)
    assert result.exit_code == 0
    assert "wordllama:l2_supercat (256 dimensions)" in result.stdout


def test_an_embedder_of_a_third_party_is_to_be_passed(cli: Cli):
    """The file cannot open it."""

    class Own(embedclf.Embedder):
        spec = embedclf.EmbedderSpec("external", "Own", 2)

        def embed(self, texts):
            import numpy as np

            return np.tile(np.float32([[0.6, 0.8]]), (len(texts), 1))

    embedclf.train(TEXTS, LABELS, embedder=Own(), **QUICK).save("own.safetensors")
    lines = cli("info", "own.safetensors").stdout.splitlines()
    assert '  classifier = embedclf.load("own.safetensors", embedder=…)' in lines
    assert lines[-1] == ("It was trained with an embedder object, so it can only be used from Python.")
    assert "embedclf predict" not in cli("info", "own.safetensors", "--card", "-").stdout


@pytest.mark.parametrize(
    ("provider", "lines"),
    [
        ("fastembed", ["pip install 'embedclf[fastembed]'", 'embedclf predict "a text" -m m.safetensors']),
        (
            "ollama",
            ["pip install 'embedclf[langchain]'", 'embedclf predict "a text" -m m.safetensors --embedder ollama:Own'],
        ),
    ],
)
def test_the_card_names_the_extra_of_the_embedder(cli: Cli, provider: str, lines: list[str]):
    """And the option, where the file cannot open the embedder alone."""

    class Own(embedclf.Embedder):
        spec = embedclf.EmbedderSpec(provider, "Own", 2)

        def embed(self, texts):
            import numpy as np

            return np.tile(np.float32([[0.6, 0.8]]), (len(texts), 1))

    embedclf.train(TEXTS, LABELS, embedder=Own(), **QUICK).save("m.safetensors")
    card = cli("info", "m.safetensors", "--card", "-").stdout
    assert card.partition("```sh\n")[2].splitlines()[:2] == lines


def test_many_classes_are_cut(cli: Cli):
    """The JSON has all."""
    labels = [f"label {number:02}" for number in range(25) for _ in range(2)]
    texts = [f"text {'abcdefghijklmnopqrstuvwxyz'[row // 2] * 4} {row}" for row in range(50)]
    embedclf.train(texts, labels, **{**QUICK, "features": "words"}).save("m.safetensors")
    assert "label 19 (2) … and 5 more (--json has all)" in cli("info", "m.safetensors").stdout
    assert len(json.loads(cli("info", "m.safetensors", "--json").stdout)["classes"]) == 25


def test_the_model_card_has_metadata_and_every_section(cli: Cli, words: Path):
    """Its beginning is YAML that Hugging Face reads."""
    yaml = pytest.importorskip("yaml")
    result = cli("info", words, "--card", "README.md")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Wrote README.md\n")
    text = Path("README.md").read_text(encoding="utf-8")
    assert text == cli("info", words, "--card", "-").stdout
    _, header, body = text.split("---\n", 2)
    metadata = yaml.safe_load(header)
    assert metadata["pipeline_tag"] == "text-classification"
    assert metadata["library_name"] == "embedclf"
    (index,) = metadata["model-index"]
    assert index["name"] == "words"
    measured = {one["type"]: one["value"] for one in index["results"][0]["metrics"]}
    assert measured["accuracy"] == pytest.approx(embedclf.load(words).card.held_out.accuracy, abs=1e-4)
    assert [line for line in body.splitlines() if line.startswith("#")] == [
        "# words",
        "## Intended use",
        "## Training data",
        "## Evaluation",
        "## Limitations",
        "## How to use it",
    ]
    assert "| delivery | 10 |" in body
    assert not any(one in text for one in TEXTS)


def test_the_card_is_for_a_reader_elsewhere(cli: Cli, words: Path):
    """It has no path of this machine, and says of the interval what the command says."""
    card = cli("info", words.resolve(), "--card", "-").stdout
    assert str(Path.cwd()) not in card
    assert 'embedclf predict "a text" -m words.safetensors' in card
    assert 'embedclf.load("words.safetensors")' in card
    assert card.count(", if no two rows are the same text") == 1


def test_the_card_is_taken_by_hugging_face(cli: Cli, words: Path):
    """With its own reader."""
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(cli("info", words, "--card", "-").stdout)
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.eval_results[0].metric_type == "accuracy"


def test_labels_are_escaped_in_the_card():
    """No label is markup, a link, a cell or a line of its own."""
    assert markdown_of("a|b\n# <b>[x](y)") == r"a\|b\\n#<!-- --> &lt;b&gt;\[x\](y)"
    assert markdown_of("http://example.com www.example.com") == "http&#58;//example.com www&#46;example.com"


def test_what_is_no_model(cli: Cli, dataset: Path, words: Path):
    """A dataset, a damaged file, one that is not there, and two outputs in one."""
    assert cli("info", dataset).stderr == f"Error: {dataset} is a data file, not a model: give a .safetensors file\n"
    assert cli("info", "wrods.safetensors").stderr == (
        "Error: model not found: wrods.safetensors. Did you mean words.safetensors?\n"
    )
    assert cli("info", "nope").stderr == "Error: model not found: nope; train one with embedclf train\n"
    data = bytearray(words.read_bytes())
    data[-1] ^= 1
    words.write_bytes(data)
    assert "is damaged: its checksum does not match" in cli("info", words).stderr
    assert cli("info", words, "--json", "--card", "-").exit_code == 2
