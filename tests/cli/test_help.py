"""What ``--help`` shows, and that one thing has one name in all commands."""

import re
import shlex

import click
import pytest

from embedclf.cli import _COMMANDS, main
from embedclf.cli.help import DOCS
from running import Cli
from shown import ROOT

CONTEXT = click.Context(main, info_name="embedclf")
COMMANDS = {name: main.get_command(CONTEXT, name) for name in _COMMANDS}
OPTIONS = [one for command in COMMANDS.values() for one in command.params if isinstance(one, click.Option)]
COMPLETION = "completion"


def sections(shown: str) -> dict[str, str]:
    parts = re.split(r"^(\w[\w ]*):\n", shown, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_options_are_in_groups(cli: Cli):
    """A group with nothing in it is not shown."""
    train = sections(cli("train", "--help").stdout)
    assert list(train) == ["Data", "Model", "Evaluation", "Output", "Embedding service", "Help", "Examples"]
    assert "--text-column" in train["Data"]
    assert "--C" in train["Model"]
    assert "--holdout" in train["Evaluation"]
    assert "-o, --output FILE" in train["Output"]
    assert "--retries" in train["Embedding service"]
    assert "--coverage" in sections(cli("evaluate", "--help").stdout)["Model"]
    retrain = " ".join(cli("retrain", "--help").stdout.split())
    assert "such as '|'. [default: as for MODEL]" in retrain
    assert "only lists" not in retrain
    search = sections(cli("search", "--help").stdout)
    assert list(search) == ["Options", "Data", "Model", "Output", "Embedding service", "Help", "Examples"]
    assert search["Options"].split("  ")[1] == "-k N"


def test_few_options_are_in_one_list(cli: Cli):
    """Exactly so."""
    assert (
        cli("embedders", "--help").stdout
        == f"""\
Usage: embedclf embedders [OPTIONS]

  List known embedding models with dimensions, input limits, prices and
  published accuracy.

  Other models of AI/ML API work by name; anything unknown is learned from the
  first response. Those of fastembed run on this machine, as do models in a
  folder: fastembed:/path/to/folder. All other providers are opened with
  LangChain, for example ollama:nomic-embed-text. Nothing is sent without
  --live or --balance.

Options:
  --json           Print one JSON object.
  --live           Ask the server which models it serves now, and at which
                   prices; no key is sent.
  --balance        Show the balance of the key's account at AI/ML API.
  --base-url URL   OpenAI-compatible server for aimlapi embedders.  [default:
                   $AIMLAPI_BASE_URL, else AI/ML API]
  --allow-http     Allow an unencrypted server (http://).
  --cache-dir DIR  Embedding cache.  [default: $EMBEDCLF_CACHE_DIR, else in
                   your cache directory]
  -h, --help       Show this message and exit.

Examples:
  embedclf embedders
  embedclf embedders --live

Docs: {DOCS}embedders.md
"""
    )


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_it_fits_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, columns: int):
    """No word is broken, but for what is to be copied; explanations are aligned over all groups."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = cli(name, "--help").stdout.partition("\nExamples:")[0].splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    starts = {found.end() for line in lines if (found := re.match(r"  -(?:\S| (?! ))* {2,}", line))}
    assert len(starts) == 1


def test_names_of_options_are_not_broken_at_their_hyphens(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert "  such as a cluster, use\n  --label-column. With" in cli("map", "--help").stdout


@pytest.mark.parametrize("args", [(), ("cache",), ("key",)])
def test_a_group_alone_shows_its_help(cli: Cli, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]):
    """As it is, on a narrow terminal, too."""
    monkeypatch.setattr("embedclf.cli.screen.columns", lambda *, err=False: 40)
    done = cli(*args)
    assert done.stderr.startswith("Usage: embedclf")
    assert "Error" not in done.stderr
    assert done.exit_code == 2


@pytest.mark.parametrize("args", [("cache", "prune"), ("cache", "info"), ("cache", "clear"), ("key", "set")])
def test_commands_of_groups_have_examples(cli: Cli, args: tuple[str, ...]):
    """And a link."""
    shown = cli(*args, "--help").stdout
    assert f"  embedclf {' '.join(args)}" in sections(shown)["Examples"]
    assert f"\nDocs: {DOCS}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_two_examples_that_would_run(name: str):
    """They are parsed as the command would; the page that the help names is there, and so is its heading."""
    command = COMMANDS[name]
    assert len(command.examples) == (3 if name == COMPLETION else 2)
    for example in command.examples if name != COMPLETION else ():
        program, given, *args = shlex.split(example)
        assert (program, given) == ("embedclf", name)
        with command.make_context(name, args, parent=CONTEXT):
            pass
    page, _, anchor = command.page.partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert not anchor or anchor in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_what_is_written_and_how_many_have_one_name():
    """-o/--output and -k."""
    for option in OPTIONS:
        assert ("-o" in option.opts) == ("--output" in option.opts)
        assert "-n" not in option.opts


def test_one_option_has_one_text():
    """Unless it means another thing: what is written, and what a value defaults to."""
    texts: dict[str, set[str]] = {}
    for option in OPTIONS:
        plain = re.sub(r"  \[default: .*\]|; may be repeated|,? if any|Print one JSON object.*", "", option.help or "")
        texts.setdefault(option.opts[-1], set()).add(plain.strip(". "))
    differing = {name for name, found in texts.items() if len(found) > 1}
    own = {
        "--against",
        "--output",
        "-k",
        "--embedder",
        "--force",
        "--label-column",
        "--live",
        "--model",
        "--text",
        "--train-set",
    }
    assert differing <= own, {name: texts[name] for name in differing - own}


@pytest.mark.parametrize("name", COMMANDS)
def test_data_files_are_called_file(cli: Cli, name: str):
    """In usage and text alike."""
    shown = cli(name, "--help").stdout
    assert "DATASET" not in shown
    assert "UNLABELLED" not in shown


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (["train", "x.csv", "--regularization", "2"], {"regularization": 2.0}),
        (["train", "x.csv", "--C", "2"], {"regularization": 2.0}),
        (["suggest", "x.csv", "-n", "3"], {"n": 3}),
        (["suggest", "x.csv", "-k", "3"], {"n": 3}),
        (["predict", "--top-k", "3", "a"], {"top_k": 3}),
        (["predict", "-k", "3", "a"], {"top_k": 3}),
        (["cluster", "x.csv", "--clusters", "3"], {"clusters": 3}),
    ],
)
def test_old_names_still_work(args: list[str], value: dict[str, object]):
    """And mean the same."""
    command = COMMANDS[args[0]]
    with command.make_context(args[0], args[1:], parent=CONTEXT) as context:
        assert value.items() <= context.params.items()


def test_old_names_are_not_shown(cli: Cli):
    """Neither in the help nor in errors."""
    assert "--regularization" not in cli("train", "--help").stdout
    said = cli("train", "x.csv", "--regularization", "-1").stderr
    assert "Error: Invalid value for '--C': must be 'auto' or a number above 0, got '-1'." in said
