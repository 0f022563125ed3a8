"""``embedclf completion``."""

import click

from embedclf.cli import COMPLETE_VARIABLE, main
from embedclf.cli.help import Command


@click.command(
    "completion",
    cls=Command,
    page="recipes.md#completion-with-the-tab-key",
    examples=[
        """echo 'eval "$(embedclf completion bash)"' >> ~/.bashrc""",
        """echo 'eval "$(embedclf completion zsh)"' >> ~/.zshrc""",
        "embedclf completion fish > ~/.config/fish/completions/embedclf.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script with which a shell completes command lines of embedclf.

    The Tab key then completes commands, options, files, models, embedders and labels. Install it with the example for
    your shell, and open a new terminal.
    """
    from click.shell_completion import get_completion_class

    import embedclf.cli.shell_scripts  # noqa: F401 - registers them

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}.")
    click.echo(kind(main, {}, "embedclf", COMPLETE_VARIABLE).source())
