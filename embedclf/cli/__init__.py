"""The ``embedclf`` command line. Each command is a separate module, imported only when it runs."""

import errno
import io
import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from embedclf._version import __version__
from embedclf.cli.help import DOCS, Context, check_command, help_width, write_lists
from embedclf.cli.screen import clean_errors, echo
from embedclf.errors import EmbedclfError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Set by the script that a shell runs to complete a command line; the name is click's.
COMPLETE_VARIABLE = "_EMBEDCLF_COMPLETE"

# The one-line helps are kept here so that `embedclf --help` imports no command. The stages are those of a project.
_STAGES = {
    "Explore": {
        "cluster": "Cluster texts to discover labels.",
        "map": "Draw an interactive map of the texts (HTML).",
        "search": "Find the rows most similar to a text.",
        "recommend": "Find diverse rows similar to a given one.",
    },
    "Clean": {
        "check": "Check a labelled file for problems.",
        "apply": "Apply corrections to a labelled file.",
        "split": "Split a labelled file into training and test rows.",
    },
    "Label": {
        "label": "Label texts in the browser or the terminal.",
        "suggest": "Suggest rows to label next (active learning).",
    },
    "Train": {
        "train": "Train a classifier on labelled texts.",
        "retrain": "Retrain with another embedder, and compare both.",
        "cross-validate": "Estimate accuracy on a file by cross-validation.",
        "learning-curve": "Show how accuracy grows with more training rows.",
        "compare": "Compare embedding models, dimensions and heads.",
    },
    "Measure": {
        "evaluate": "Evaluate a classifier on labelled texts.",
        "diff": "Compare two classifiers on the same labelled texts.",
    },
    "Use": {
        "info": "Describe a trained classifier.",
        "predict": "Predict the labels of texts.",
        "serve": "Serve a classifier over HTTP.",
        "drift": "Find out whether texts have changed.",
    },
    "Set up": {
        "embedders": "List known embedding models and their prices.",
        "usage": "Show what embedding has cost, and the cache saved.",
        "cache": "Inspect, prune or clear the embedding cache.",
        "key": "Keep the AI/ML API key in the system's keyring.",
        "completion": "Complete command lines with the Tab key.",
    },
}
_COMMANDS = {name: text for commands in _STAGES.values() for name, text in commands.items()}

# 128 plus the signal number, the convention of shells.
_INTERRUPTED = 130


class _StderrHandler(logging.Handler):
    """Log handler that prints messages to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "about_rows", False):
            return  # commands say the same of the lines of their file
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        echo(f"{prefix}{record.getMessage()}", err=True)


class _Commands(click.Group):
    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"embedclf.cli.commands.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and suggest those that are spelt like one that does not exist."""
        check_command(args[0], _COMMANDS, ctx)
        resolved = super().resolve_command(ctx, args)
        if resolved[0] is not None and not ctx.resilient_parsing:
            from embedclf.embedding.tracing import running

            ctx.with_resource(running(resolved[0]))
        return resolved

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_lists(formatter, {stage: list(commands.items()) for stage, commands in _STAGES.items()})

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write("Options and examples of a command:\n  embedclf COMMAND --help\n")
        formatter.write(f"Docs: {DOCS}index.md\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        names = [name for name in _COMMANDS if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=_COMMANDS[name]) for name in names] + options

    def main(self, *args: Any, **extra: Any) -> Any:
        if COMPLETE_VARIABLE in os.environ:
            import embedclf.cli.shell_scripts  # noqa: F401 - registers them
        return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with clean_errors():
            return super().make_context(*args, **{"terminal_width": help_width(), **extra})

    def invoke(self, ctx: click.Context) -> object:
        logger = logging.getLogger("embedclf")
        logger.handlers[:] = [_StderrHandler()]
        logging.lastResort = _StderrHandler(logging.WARNING)  # warnings of other libraries
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for stream in (sys.stdout, sys.stderr):
            # A label that the terminal's encoding cannot represent is escaped rather than ending in a traceback.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            with clean_errors():
                try:
                    result = super().invoke(ctx)
                except EmbedclfError as error:
                    raise click.ClickException(str(error)) from error
            sys.stdout.flush()
        except KeyboardInterrupt:
            echo("Interrupted.", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except OSError as error:
            if error.errno != errno.ENOSPC:  # click handles a closed pipe
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # flushing the buffer would fail again at exit
            raise click.ClickException("cannot write to standard output: no space left on device") from error
        return result


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="embedclf")
def main() -> None:
    """Train, evaluate and serve text classifiers built on embeddings.

    A dataset is a CSV file, or the like, with a column of texts and one of labels.

    \b
    embedclf train tickets.csv
    embedclf evaluate tickets_test.csv
    embedclf predict "Where is my parcel?"
    """  # noqa: D301 - click needs a literal backspace
