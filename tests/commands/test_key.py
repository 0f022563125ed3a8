"""``embedclf key``: the AI/ML API key in the system's keyring."""

import os
import pty
import sys
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import embedclf
from aimlapi_server import AimlapiServer, error
from embedclf.cli import main
from embedclf.embedding.aimlapi import system_keyring
from running import Cli

keyring = pytest.importorskip("keyring", reason="needs embedclf[keyring]")

KEY = "sk-planted-0123456789abcdef"
PLACE = ("embedclf", "AIMLAPI_API_KEY")
SMALL_MODEL = "aimlapi:text-embedding-3-small"


class Keyring(keyring.backend.KeyringBackend):
    """A keyring in memory; counts how often it is opened."""

    priority = 1
    name = "Keyring of the tests"

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.n_opened = 0
        self.fault: Exception | None = None

    def _open(self) -> None:
        self.n_opened += 1
        if self.fault is not None:
            raise self.fault

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        del self.kept[service, username]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch):
    """An empty keyring, which is the system's for this test."""
    before = keyring.get_keyring()
    opened = Keyring()
    keyring.set_keyring(opened)
    monkeypatch.setattr(system_keyring, "_fetched", [])
    yield opened
    keyring.set_keyring(before)


def set_key(text: str = KEY + "\n") -> Result:
    return CliRunner(catch_exceptions=False).invoke(main, ["key", "set"], input=text, prog_name="embedclf")


def test_set_show_delete(cli: Cli, memory: Keyring):
    """The key is read from standard input, and no command prints it."""
    done = set_key()
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "The key is now in the system's keyring (Keyring of the tests).\n"
    assert memory.kept == {PLACE: KEY}
    assert cli("key", "show").stdout == "The key is in the system's keyring (Keyring of the tests).\n"
    assert cli("key", "delete").stderr == "The key is no longer in the system's keyring (Keyring of the tests).\n"
    assert memory.kept == {}
    again = cli("key", "delete")
    assert (again.exit_code, again.stderr) == (
        1,
        "Error: there is no key in the system's keyring (Keyring of the tests)\n",
    )
    none = cli("key", "show")
    assert (none.exit_code, none.stdout) == (1, "")
    assert none.stderr.startswith("Error: AIMLAPI_API_KEY is not set: get a key at https://aimlapi.com/app/keys, and")


def test_the_environment_comes_first(cli: Cli, memory: Keyring, monkeypatch: pytest.MonkeyPatch, api: AimlapiServer):
    """Its key is sent, and the keyring is not opened."""
    assert "Warning: AIMLAPI_API_KEY is set as well, and is used instead\n" in set_key().stderr
    assert cli("key", "show").stdout == "The key is in AIMLAPI_API_KEY.\n"
    memory.n_opened = 0
    embedclf.open_embedder(SMALL_MODEL).embed(["a text"])
    assert memory.n_opened == 0


def test_a_run_uses_it(cli: Cli, memory: Keyring, monkeypatch: pytest.MonkeyPatch, api: AimlapiServer, dataset: Path):
    """The default embedder is AI/ML API's, the line says why, and the keyring is asked once, for all requests."""
    api.api_key = KEY
    monkeypatch.delenv("AIMLAPI_API_KEY")
    set_key()
    memory.n_opened = 0
    assert "(1536 dimensions; the key is in the system's keyring)\n" in cli("search", dataset, "a", "--dry-run").stderr
    assert "Key for AI/ML API: the key is in the system's keyring\n" in cli("embedders").stderr
    assert memory.n_opened == 0
    done = cli("search", dataset, "my parcel", "--batch-size", 4)
    assert done.exit_code == 0, done.stderr
    assert api.n_requests > 3
    assert memory.n_opened == 1


def test_it_is_in_no_message(cli: Cli, memory: Keyring, monkeypatch: pytest.MonkeyPatch, api: AimlapiServer):
    """Not even where the server quotes it; the advice names the place where it is."""
    monkeypatch.delenv("AIMLAPI_API_KEY")
    set_key()
    api.fault = lambda request: error(401, f"wrong key {KEY}, {KEY[:12]}…")
    with pytest.raises(embedclf.EmbedderError, match="; check the key in the system's keyring ") as caught:
        embedclf.open_embedder(SMALL_MODEL, retries=0).embed(["a text"])
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY[:8] not in "".join(line for line in shown.format() if "KEY" not in line)


def test_nothing_is_written(memory: Keyring, tmp_path: Path):
    """The file that notes it is empty."""
    set_key()
    (note,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert note.read_bytes() == b""


def test_the_keyring_is_not_opened_without_need(cli: Cli, memory: Keyring, dataset: Path):
    """Nobody who has put no key into it is asked for its password."""
    assert "(256 dimensions; AIMLAPI_API_KEY is not set)" in cli("search", dataset, "parcel").stderr
    failed = cli("search", dataset, "parcel", "--embedder", SMALL_MODEL)
    assert failed.stderr.endswith("(or keep it in the system's keyring: embedclf key set)\n")
    assert memory.n_opened == 0


def test_one_that_is_lost(cli: Cli, memory: Keyring, dataset: Path):
    """Say, since it was deleted with another program."""
    set_key()
    memory.kept.clear()
    system_keyring._fetched.clear()
    expected = (
        "Error: the key is no longer in the system's keyring: put it there again with embedclf key set, or set "
        "AIMLAPI_API_KEY\n"
    )
    assert cli("key", "show").stderr == expected
    assert cli("search", dataset, "parcel").stderr.endswith(expected)


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "schlüssel\n", "a\x1bb\n"])
def test_what_cannot_be_a_key(memory: Keyring, text: str):
    """It is not kept."""
    done = set_key(text)
    assert (done.exit_code, memory.kept) == (1, {})
    assert done.stderr == "Error: this cannot be a key: it is empty, or has spaces or unusual characters\n"


@pytest.mark.parametrize("given", [KEY, f"--{KEY}"])
def test_the_key_is_no_argument(cli: Cli, memory: Keyring, given: str):
    """It is not printed either."""
    done = cli("key", "set", given)
    assert done.exit_code == 2
    assert "the key is not an argument, since the shell would remember it" in done.stderr
    assert KEY not in done.output


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            keyring.errors.NoKeyringError("No recommended backend was available."),
            "this system has no keyring, as is usual on servers and in containers: set AIMLAPI_API_KEY instead",
        ),
        (
            keyring.errors.KeyringLocked("Failed to unlock\nthe collection!"),
            "the system's keyring cannot be opened (Failed to unlock the collection!): set AIMLAPI_API_KEY instead",
        ),
        (OSError(), "the system's keyring cannot be opened (OSError): set AIMLAPI_API_KEY instead"),
        (
            RuntimeError(f"cannot keep {KEY}"),
            "the system's keyring cannot be opened (cannot keep …): set AIMLAPI_API_KEY instead",
        ),
    ],
)
def test_a_keyring_that_cannot_be_opened(memory: Keyring, fault: Exception, message: str):
    """One line says what to do."""
    memory.fault = fault
    done = set_key()
    assert (done.exit_code, done.stderr) == (1, f"Error: {message}\n")


def test_a_keyring_that_keeps_nothing(memory: Keyring, monkeypatch: pytest.MonkeyPatch):
    """Such as keyring's null backend."""
    monkeypatch.setattr(Keyring, "set_password", lambda *args: None)
    assert set_key().stderr == (
        "Error: the system's keyring (Keyring of the tests) did not keep the key: set AIMLAPI_API_KEY instead\n"
    )


def test_a_note_that_cannot_be_written(memory: Keyring, monkeypatch: pytest.MonkeyPatch):
    """Without it, the key would never be used."""
    Path("taken").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path("taken").resolve()))
    said = set_key().stderr
    assert said.startswith("Error: the key cannot be used from the keyring: ")
    assert said.endswith("key-in-keyring: Not a directory\n")


def test_without_the_extra(cli: Cli, memory: Keyring, monkeypatch: pytest.MonkeyPatch, dataset: Path):
    """The error says how to install it; the default embedder is the one that works."""
    set_key()
    monkeypatch.setattr(system_keyring, "is_installed", lambda: False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    install = "pip install 'embedclf[keyring]'"
    assert set_key().stderr == f"Error: the system's keyring needs another library: {install}\n"
    said = cli("search", dataset, "parcel").stderr
    assert f"AIMLAPI_API_KEY is not set, and the key in the system's keyring needs {install})\n" in said
    assert "Embedder: wordllama" in said


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")
def test_nothing_is_shown_as_the_key_is_typed():
    """On a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "embedclf", "key", "set"])
    shown = b""
    while b"): " not in shown:
        shown += os.read(terminal, 1_000)
    os.write(terminal, KEY.encode() + b"\n")
    try:
        while part := os.read(terminal, 1_000):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.waitpid(pid, 0)
    assert b"AI/ML API key (https://aimlapi.com/app/keys): " in shown
    assert b"did not keep the key" in shown  # the tests' environment has a keyring that keeps nothing
    assert KEY.encode() not in shown
