"""What is imported when. Who may import whom, the contracts in pyproject.toml say."""

import ast
import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer
from corpus import LABELS, TEXTS

PACKAGE = Path(embedclf.__file__).parent


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {
                f"{node.module}.{alias.name}" if node.module == "embedclf" else node.module for alias in node.names
            }
    return found


@pytest.mark.slow
def test_only_the_command_line_speaks():
    """Nothing below cli imports click, prints, or exits; what makes tables asks rich how wide a character is."""
    for path in PACKAGE.rglob("*.py"):
        wing = path.relative_to(PACKAGE).parts[0]
        if wing == "cli":
            continue
        assert not {"click", *(["rich"] if wing != "printing" else [])} & {name.split(".")[0] for name in imports(path)}
        calls = {node.func.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                 if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
        assert not {"print", "exit"} & calls, path


def loaded_by(code: str) -> set[str]:
    report = "\nimport sys, json; print('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def command(*args: str) -> str:
    return f"from embedclf.cli import main; main({list(args)!r}, standalone_mode=False)"


HEAVY = {"graspologic_native", "sklearn", "scipy", "pandas", "langchain_openai", "langchain_core", "openai", "tiktoken"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import embedclf", HEAVY | {"numpy", "click", "safetensors", "tokenizers"}),
        (command("--help"), HEAVY | {"numpy", "safetensors", "tokenizers"}),
        (command("predict", "--help"), HEAVY | {"safetensors", "tokenizers"}),
        # what train looks for before it embeds
        ("import embedclf.quality.text_checks, embedclf.printing.findings", HEAVY | {"cleanlab", "tokenizers"}),
    ],
)
def test_what_is_not_loaded(code: str, absent: set[str]):
    """The package and its help cost next to nothing."""
    assert not loaded_by(code) & absent


@pytest.mark.slow
def test_predicting_loads_neither_scikit_learn_nor_langchain(model: Path):
    """To predict, numpy and what reads WordLlama's files are enough; nor is its package, or a cache, of any use."""
    absent = HEAVY | {"wordllama", "xxhash", "platformdirs", "rich", "requests", "pydantic"}
    assert not loaded_by(command("predict", "-m", str(model), "a text")) & absent
    assert not loaded_by(f"import embedclf; embedclf.load({str(model)!r}).predict(['a text'])") & absent


def test_searching_loads_neither(dataset: Path):
    """Nor does recommending."""
    assert not loaded_by(command("search", str(dataset), "my parcel")) & HEAVY
    assert not loaded_by(command("recommend", str(dataset), "--row", "2")) & HEAVY


def test_predicting_a_cached_text_loads_neither(api: AimlapiServer):
    """Only a request that is about to be sent pays for langchain and openai."""
    embedclf.train(TEXTS, LABELS, label_names=False).save("m.safetensors")
    assert not loaded_by(command("predict", "-m", "m.safetensors", TEXTS[0])) & HEAVY
    assert api.n_requests == 1


def test_what_benchmarks_and_examples_import_is_there():
    """They are run by hand, so a renamed module would be noticed late."""
    root = PACKAGE.parent
    for path in [*root.glob("benchmarks/**/*.py"), *root.glob("examples/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("embedclf"):
                continue
            for alias in node.names:
                there = hasattr(import_module(node.module), alias.name) or find_spec(f"{node.module}.{alias.name}")
                assert there, f"{path.relative_to(root)} imports {alias.name} from {node.module}"


def test_every_public_name_is_there():
    """The lazy names load, stand in dir() and in the stub's own list, and an unknown one is an AttributeError."""
    for name in embedclf.__all__:
        assert getattr(embedclf, name) is not None
    assert set(embedclf.__all__) <= set(dir(embedclf))
    stub = (PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    assert ast.literal_eval(stub.partition("__all__ = ")[2]) == embedclf.__all__
    with pytest.raises(AttributeError, match="No embedclf attribute nothing"):
        _ = embedclf.nothing


@pytest.mark.slow
def test_the_help_is_what_a_person_reads(process):
    """Exactly so, and each command has a help of its own."""
    from embedclf.cli import _COMMANDS

    assert (
        process("--help").stdout
        == """\
Usage: embedclf [OPTIONS] COMMAND [ARGS]...

  Train, evaluate and serve text classifiers built on embeddings.

  A dataset is a CSV file, or the like, with a column of texts and one of
  labels.

  embedclf train tickets.csv
  embedclf evaluate tickets_test.csv
  embedclf predict "Where is my parcel?"

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Explore:
  cluster         Cluster texts to discover labels.
  map             Draw an interactive map of the texts (HTML).
  search          Find the rows most similar to a text.
  recommend       Find diverse rows similar to a given one.

Clean:
  check           Check a labelled file for problems.
  apply           Apply corrections to a labelled file.
  split           Split a labelled file into training and test rows.

Label:
  label           Label texts in the browser or the terminal.
  suggest         Suggest rows to label next (active learning).

Train:
  train           Train a classifier on labelled texts.
  retrain         Retrain with another embedder, and compare both.
  cross-validate  Estimate accuracy on a file by cross-validation.
  learning-curve  Show how accuracy grows with more training rows.
  compare         Compare embedding models, dimensions and heads.

Measure:
  evaluate        Evaluate a classifier on labelled texts.
  diff            Compare two classifiers on the same labelled texts.

Use:
  info            Describe a trained classifier.
  predict         Predict the labels of texts.
  serve           Serve a classifier over HTTP.
  drift           Find out whether texts have changed.

Set up:
  embedders       List known embedding models and their prices.
  usage           Show what embedding has cost, and the cache saved.
  cache           Inspect, prune or clear the embedding cache.
  key             Keep the AI/ML API key in the system's keyring.
  completion      Complete command lines with the Tab key.

Options and examples of a command:
  embedclf COMMAND --help
Docs: https://github.com/embedclf/embedclf/blob/main/docs/index.md
"""
    )
    for name in _COMMANDS:
        shown = process(name, "--help").stdout
        assert shown.startswith(f"Usage: embedclf {name} ")
        assert "..." not in shown.partition("Commands:")[2]


def test_an_unknown_command_is_a_usage_error(process):
    """With exit code 2; a bug stays a traceback."""
    done = process("trian")
    assert done.returncode == 2
    assert "No such command 'trian'." in done.stderr


def test_the_version_is_told(process):
    """embedclf --version."""
    assert process("--version").stdout == f"embedclf, version {embedclf.__version__}\n"


def test_help_introduces_every_public_name():
    """`help(embedclf)` starts with the front door: each name, once, with what it is for."""
    doc = embedclf.__doc__ or ""
    names = [name for name in embedclf.__all__ if not name.startswith("_")]
    introduced = re.findall(r"^    (\w+)(?: {2,}\w.*| *)$", doc, flags=re.MULTILINE)
    errors = re.findall(r"\w+Error\b", doc)
    results = re.findall(r"(?:: |\ban? )`(\w+)`", doc)
    assert sorted({*introduced, *errors, *results}) == sorted(names)
    assert len(introduced) == len(set(introduced))


def test_what_results_ask_for_by_name_is_there():
    """How a result looks is made above it, so no import contract and no type checker looks after these names."""
    asked = re.findall(r'import_module\("([\w.]+)"\)\.(\w+)', (PACKAGE / "records.py").read_text(encoding="utf-8"))
    assert len(asked) == 3
    for module, name in asked:
        assert callable(getattr(import_module(module), name))
