"""The ``embedclf`` command. Each of its commands is a module of its own, loaded only when it is called."""

import errno
import io
import logging
import os
import sys
from importlib import import_module
from typing import Any

import click

from embedclf._version import __version__
from embedclf.cli.screen import as_message, clean_errors, echo
from embedclf.errors import EmbedclfError

# The one-line helps stand here, so that `embedclf --help` loads no command.
_COMMANDS = {
    "train": "Train a classifier on a file of labelled texts.",
    "evaluate": "Measure a classifier on a file of labelled texts.",
    "predict": "Label texts with a trained classifier.",
    "cross-validate": "Measure how good a classifier trained on a file would be.",
    "learning-curve": "Measure what more labels would bring.",
    "compare": "Compare embedders, lengths of vectors and heads on a file.",
    "check": "Find what is wrong with a file of labelled texts.",
    "search": "Find the rows of a file that are nearest to a text.",
    "recommend": "Find rows that are like one, and unlike each other.",
    "cluster": "Find groups of texts that are alike, to make labels of.",
    "suggest": "Choose which rows to label next.",
    "map": "Draw the texts of a file on a page to look at.",
    "serve": "Answer over HTTP with a trained classifier.",
    "embedders": "List the known embedders and their prices.",
    "cache": "Look at the cache of vectors, or empty it.",
}

# 128 and the number of the signal, as shells have it.
_INTERRUPTED = 130


class _Remarks(logging.Handler):
    """Shows what the library remarks on, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        echo(f"{prefix}{record.getMessage()}", err=True)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"embedclf.cli.commands.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with clean_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> object:
        logger = logging.getLogger("embedclf")
        logger.handlers[:] = [_Remarks()]
        logging.lastResort = _Remarks(logging.WARNING)  # what other libraries say, which nobody else shows
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for stream in (sys.stdout, sys.stderr):
            # A label that this terminal's encoding does not have is written as an escape, not as a traceback.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            with clean_errors():
                result = super().invoke(ctx)
            sys.stdout.flush()
        except EmbedclfError as error:
            raise click.ClickException(as_message(str(error))) from error
        except KeyboardInterrupt:
            echo("Interrupted.", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except OSError as error:
            if error.errno != errno.ENOSPC:  # of a pipe that is closed, click takes care
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered would fail again at exit
            raise click.ClickException("cannot write to the standard output: no space left on device") from error
        return result


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="embedclf")
def main() -> None:
    """Classify texts on embedding features.

    \b
      embedclf train tickets.csv               a CSV with the columns text and label
      embedclf evaluate tickets_test.csv
      embedclf predict "Where is my parcel?"
    """  # noqa: D301 - click wants the backspace itself
