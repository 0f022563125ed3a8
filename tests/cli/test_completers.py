"""Completing command lines with the Tab key."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpus import write_csv
from embedclf.cli import COMPLETE_VARIABLE, main
from running import Cli


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return what bash is offered for a line."""

    def run(line: str) -> list[str]:
        monkeypatch.setenv(COMPLETE_VARIABLE, "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        with pytest.raises(SystemExit):
            main(prog_name="embedclf")
        return capsys.readouterr().out.split("\n")[:-1]

    return run


def test_commands_and_options(complete):
    """Old names are not offered."""
    assert complete("embedclf c") == [
        *("plain,cluster", "plain,check", "plain,cross-validate", "plain,compare", "plain,cache", "plain,completion")
    ]
    assert complete("embedclf cache ") == ["plain,clear", "plain,info", "plain,prune"]
    assert complete("embedclf train x.csv --r") == ["plain,--retries"]
    assert complete("embedclf train x.csv --head ") == ["plain,logistic", "plain,centroid"]


@pytest.mark.parametrize("line", ["train ", "evaluate x.csv --report ", "train x.csv -o ", "check x.csv --against a"])
def test_files(complete, line: str):
    """By the shell."""
    assert complete(f"embedclf {line}") == ["file," + line.rpartition(" ")[2]]


def test_models(complete):
    """Those in models/; elsewhere, any file."""
    Path("models").mkdir()
    for name in ("tickets.safetensors", "spam.safetensors", "notes.txt"):
        Path("models", name).touch()
    assert complete("embedclf predict -m ") == ["plain,models/spam.safetensors", "plain,models/tickets.safetensors"]
    assert complete("embedclf predict --model models/t") == ["plain,models/tickets.safetensors"]
    assert complete("embedclf predict -m other/") == ["file,other/"]


def test_embedders(complete):
    """With a space or an equals sign before."""
    models = ["plain,aimlapi:text-embedding-3-small", "plain,aimlapi:text-embedding-3-large"]
    assert complete("embedclf train x.csv --embedder aimlapi:text-embedding-3") == models
    assert complete("embedclf train x.csv --embedder=aimlapi:text-embedding-3") == models
    assert complete("embedclf compare x.csv --embedder w") == ["plain,wordllama"]


def test_labels(complete):
    """Of the file on the line; none if it cannot be read."""
    write_csv(Path("x.csv"), [("a", "lost card"), ("b", "lost parcel"), ("c", "refund")])
    assert complete("embedclf train x.csv --out-of-scope-label ") == [
        *("plain,lost card", "plain,lost parcel", "plain,refund")
    ]
    assert complete(r"embedclf train --seed 3 x.csv --out-of-scope-label lost\ c") == ["plain,lost card"]
    assert complete("embedclf train nowhere.csv --out-of-scope-label ") == [""]
    Path("broken.csv").write_bytes(b"\xff\xfe\x00")
    assert complete("embedclf train broken.csv --out-of-scope-label ") == [""]


def test_completing_loads_nothing_heavy():
    """A person waits for it."""
    code = "import sys; from embedclf.cli import main; main(prog_name='embedclf', standalone_mode=False)"
    report = "import atexit, sys; atexit.register(lambda: print(sorted({n.split('.')[0] for n in sys.modules})));"
    for line in ("embedclf ", "embedclf train x.csv --embedder a"):
        done = subprocess.run(
            [sys.executable, "-c", report + code],
            env={**os.environ, COMPLETE_VARIABLE: "bash_complete", "COMP_WORDS": line},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "plain," in done.stdout
        assert not {"'numpy'", "'sklearn'", "'scipy'", "'rich'", "'openai'"} & set(done.stdout.split(" "))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(cli: Cli, shell: str):
    """It is printed by embedclf completion."""
    script = cli("completion", shell).stdout
    assert "_embedclf_completion" in script
    assert COMPLETE_VARIABLE in script
    if (program := shutil.which(shell)) is not None:
        done = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("embedclf train x.csv --embedder aimlapi:text-embedding-3-s", "text-embedding-3-small"),
        ("embedclf train x.csv --embedder=aimlapi:text-embedding-3-s", "text-embedding-3-small"),
        (r"embedclf train x.csv --out-of-scope-label lost\ c", r"lost\ card"),
        ("embedclf learn", "learning-curve"),
    ],
)
def test_bash_puts_the_words_in_the_right_place(cli: Cli, line: str, words: str):
    """It replaces what stands after the last colon, and needs spaces quoted."""
    write_csv(Path("x.csv"), [("a", "lost card"), ("b", "refund")])
    Path("embedclf").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m embedclf "$@"\n', encoding="utf-8")
    Path("embedclf").chmod(0o755)
    Path("script").write_text(cli("completion", "bash").stdout, encoding="utf-8")
    # `compopt` works only while a line is being typed.
    code = "compopt() { :; }; . ./script; _embedclf_completion ./embedclf; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(
        ["bash", "--norc", "-c", code],
        env={**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_WORDBREAKS": " \"'><=;|&(:"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == words + "\n", done.stderr
