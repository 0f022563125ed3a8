"""What reaches the terminal: nothing that it could take for a command, and nothing that is endless."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import embedclf
from aimlapi_server import AimlapiServer, Response
from corpus import SMALL
from embedclf.embedding.cache.vector_cache import VectorCache
from running import Cli

# A colour, a title, a C1 control, a right-to-left override, an isolate, a line separator, a zero-width space, DEL.
EVIL = "\x1b[31m\x1b]0;title\x07\x9b2J\u202e\u2066\u2028\u200b\x7f"
ESCAPED = EVIL.encode("unicode_escape").decode()


def assert_clean(*outputs: str) -> None:
    for output in outputs:
        odd = {c for c in output if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") and c not in "\n\t"}
        assert not odd, f"{odd!r} in {output!r}"


def renamed(model: embedclf.TextClassifier, *classes: str) -> embedclf.TextClassifier:
    linear = embedclf.LinearModel(model.model.weights, model.model.bias, classes)
    return embedclf.TextClassifier(model.embedder, linear, model.card)


def test_labels_of_a_model(process, trained: embedclf.TextClassifier):
    """Plain and as JSON, which gives the same label."""
    renamed(trained, f"a{EVIL}", f"b{EVIL}", f"c{EVIL}").save("m.safetensors")
    plain = process("predict", "-m", "m.safetensors", "Where is my refund?")
    assert plain.stdout.startswith(f"c{ESCAPED}\t")
    as_json = process("predict", "-m", "m.safetensors", "--json", "--top-k", "2", f"Where is my refund? {EVIL}")
    assert_clean(plain.stdout, plain.stderr, as_json.stdout, as_json.stderr)
    record = json.loads(as_json.stdout)
    assert (record["label"], record["text"]) == (f"c{EVIL}", f"Where is my refund? {EVIL}")


def test_letters_of_every_script_stay_as_they_are(process, trained: embedclf.TextClassifier):
    """Also joiners, which scripts and emoji need, and spaces that do not break."""
    names = ["Zurückerstattung", "می‌خواهم", "退款\xa0👩‍🚒"]
    renamed(trained, *names).save("m.safetensors")
    done = process("predict", "-m", "m.safetensors", "--json", "--top-k", "3", "Where is my refund?")
    assert all(name in done.stdout for name in names)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_names_of_files_columns_and_options(process, dataset: Path):
    """In errors of ours and of click's, and in remarks."""
    evil = EVIL.replace("/", "")
    named = dataset.rename(f"{evil}.csv")
    for args in (
        ["train", f"none{evil}.csv"],
        ["train", named, "--text-column", evil],
        ["train", named, "--embedder", f"ollama:{evil}"],
        ["check", named],
        ["train", named, f"--{evil}"],
        [evil],
        [f"--{evil}"],
        ["train", named, "--head", evil],
        ["predict", "-m", evil, "text"],
        ["predict", "-m", "m.safetensors", "--input", named, "--output", f"{evil}.xls"],
        ["cache", "info", "--cache-dir", evil],
        ["cache", "clear", "--cache-dir", evil],
    ):
        done = process(*args)
        assert_clean(done.stdout, done.stderr)
        assert re.search(r"\\x1b|\\u202e|\\x9b", done.stdout + done.stderr), args


def test_columns_of_a_file(process):
    """All of them are named where one is missing."""
    Path("x.csv").write_text(f"{EVIL.replace(chr(0x2028), '')},label\nhello,a\n")
    done = process("train", "x.csv")
    assert done.returncode == 1
    assert_clean(done.stderr)


@pytest.mark.slow
def test_what_a_server_says(process, api: AimlapiServer, dataset: Path):
    """In an error, and in a reason for a text."""
    body = json.dumps({"message": f"no entry {EVIL}"}).encode()
    api.fault = lambda request: Response(401, body)
    done = process("train", dataset)
    assert done.returncode == 1
    assert "no entry" in done.stderr
    assert_clean(done.stdout, done.stderr)


def test_what_the_cache_says(process, cli: Cli, api: AimlapiServer, dataset: Path):
    """The model's name beside the vectors, and in the ledger."""
    cli("train", dataset)
    folder = Path(os.environ["EMBEDCLF_CACHE_DIR"])
    for path in (folder / "ledger.jsonl", *folder.glob("vectors/*/model.json")):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "model": f"evil{EVIL}", "endpoint": f"http://{EVIL}"}) + "\n")
    shown = process("cache", "info")
    asked = process("cache", "clear", stdin="n\n")
    assert f"evil{ESCAPED}" in shown.stdout
    assert f"evil{ESCAPED}" in asked.stderr
    assert_clean(shown.stdout, shown.stderr, asked.stdout, asked.stderr)
    assert VectorCache().info()[0].n_vectors == 30


def test_metadata_of_a_model(process, trained: embedclf.TextClassifier):
    """What is wrong with it is said with escapes."""
    trained.save("m.safetensors")
    data = Path("m.safetensors").read_bytes()
    Path("m.safetensors").write_bytes(data.replace(b"l2_supercat", b"l2\\\\u001bcat"))
    done = process("predict", "-m", "m.safetensors", "text")
    assert done.returncode == 1
    assert_clean(done.stderr)


def test_a_page_of_json_keeps_its_values(process):
    """Wherever a text is quoted."""
    rows = [(text, label) for label, texts in SMALL.items() for text in texts]
    lines = [json.dumps({"text": f"{text} {EVIL}", "label": label}) for text, label in rows]
    Path("x.jsonl").write_text("\n".join(lines) + "\n")
    done = process("search", "x.jsonl", "my parcel", "--json", "-k", "3")
    assert_clean(done.stdout, done.stderr)
    assert all(hit["text"].endswith(EVIL) for hit in json.loads(done.stdout)["hits"])


def test_messages_end(process):
    """Of a line of 200,000 characters, the beginning is shown, and how much is left out."""
    Path("x.csv").write_text(f"{'x' * 200_000},label\nhello,a\n")
    long = "h" * 60_000
    for args in (["train", "x.csv"], ["train", long], [long], ["train", "x.csv", "--head", long]):
        done = process(*args)
        assert done.returncode in (1, 2)
        assert len(done.stderr) < 5_000
    assert re.search(r"h … 5\d,\d\d\d more characters\n", done.stderr)


def test_what_other_libraries_say():
    """Their warnings, for which nobody has made a place."""
    code = (
        "import logging, click\n"
        "from embedclf import cli\n"
        "@click.command()\n"
        f"def command(): logging.getLogger('other').warning({EVIL!r})\n"
        "cli._COMMANDS = {'cache': 'x'}\n"
        "import embedclf.cli.commands.cache; embedclf.cli.commands.cache.command = command\n"
        "cli.main(['cache'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr == f"Warning: {ESCAPED}\n"


def test_every_line_of_the_terminal_goes_through_one_place():
    """No command prints by itself."""
    for path in (Path(embedclf.__file__).parent / "cli").glob("*.py"):
        if path.name != "screen.py":
            assert not re.search(r"click\.(echo|secho|confirm|prompt)\(", path.read_text()), path
