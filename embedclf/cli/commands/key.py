"""``embedclf key``."""

import sys

import click

from embedclf.cli.help import Command, Group
from embedclf.cli.screen import echo
from embedclf.errors import EmbedclfError

_PAGE = "embedders.md#the-key"


@click.group(
    "key",
    cls=Group,
    page=_PAGE,
    examples=["embedclf key set", "embedclf key show"],
)
def command() -> None:
    """Keep the AI/ML API key in the system's keyring.

    It is used when AIMLAPI_API_KEY is not set. No command prints it. Requires embedclf[keyring].
    """


# What is typed after `set` is taken so that click does not print it: it may be the key.
@command.command(
    "set",
    cls=Command,
    page=_PAGE,
    examples=["embedclf key set"],
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
@click.pass_context
def set_(ctx: click.Context) -> None:
    """Ask for the key and put it into the keyring.

    Nothing is shown as you type. If standard input is not a terminal, its first line is the key.
    """
    from embedclf.embedding.aimlapi.api_key import KEY_PAGE, KEY_VARIABLE, cleaned, is_possible, key_source
    from embedclf.embedding.aimlapi.system_keyring import name, store

    if ctx.args:
        raise click.UsageError(
            "the key is not an argument, since the shell would remember it: run embedclf key set, and paste it then."
        )
    where = name()  # an error comes before the question
    if sys.stdin.isatty():
        key = click.prompt(f"AI/ML API key ({KEY_PAGE})", hide_input=True, err=True).strip()
    else:
        key = sys.stdin.readline().strip()
    key = cleaned(key)
    if not is_possible(key):
        raise EmbedclfError("this cannot be a key: it is empty, or has spaces or unusual characters")
    store(key)
    echo(f"The key is now in the system's keyring ({where}).", err=True)
    if key_source() == "environment":
        echo(f"Warning: {KEY_VARIABLE} is set as well, and is used instead", err=True)


@command.command("show", cls=Command, page=_PAGE, examples=["embedclf key show"])
def show() -> None:
    """Show where the key is, but not the key.

    The exit code is 1 if there is none.
    """
    from embedclf.embedding.aimlapi.api_key import KEY_PAGE, KEY_VARIABLE, key_reason, key_source, read_key
    from embedclf.embedding.aimlapi.system_keyring import name

    if (source := key_source()) is None:
        raise EmbedclfError(f"{key_reason()}: get a key at {KEY_PAGE}, and keep it with embedclf key set")
    read_key()  # the keyring may have lost it
    echo(
        f"The key is in {KEY_VARIABLE}."
        if source == "environment"
        else f"The key is in the system's keyring ({name()})."
    )


@command.command("delete", cls=Command, page=_PAGE, examples=["embedclf key delete"])
def delete() -> None:
    """Delete the key from the keyring."""
    from embedclf.embedding.aimlapi.system_keyring import name, remove

    if not remove():
        raise EmbedclfError(f"there is no key in the system's keyring ({name()})")
    echo(f"The key is no longer in the system's keyring ({name()}).", err=True)
