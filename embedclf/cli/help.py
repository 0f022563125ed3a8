"""What ``--help`` shows: options in groups, two examples, and where the command is explained.

Written with click's own formatter, since the libraries that do this import for longer than the whole help takes.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli import completers

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

DOCS = "https://github.com/embedclf/embedclf/blob/main/docs/"

# Options by the name of their parameter. Those that are in no group are the command's own, and come first.
_GROUPS = {
    "Data": (
        "against",
        "dataset",
        "delimiter",
        "exclude",
        "header",
        "encoding",
        "escape_char",
        "label_column",
        "label_columns",
        "label_map",
        "label_separator",
        "labels_file",
        "quoting",
        "skip_bad_rows",
        "text_column",
        "train_set",
        "weight_column",
    ),
    "Model": (
        *("class_weight", "costs", "coverage", "target_precision", "target_recall"),
        *("dimensions", "embedder", "embedders", "features", "head", "heads", "label_names", "min_confidence", "model"),
        *(
            "label_hierarchy",
            "out_of_scope_label",
            "prompt",
            "prompts",
            "regularization",
            "target_accuracy",
            "task",
            "tasks",
        ),
    ),
    "Evaluation": ("folds", "holdout", "repeats", "seed", "share"),
    "Verdict": ("baseline", "cannot_tell", "fail_under", "junit", "margin", "summary"),
    "Output": (
        *(
            "as_json",
            "card",
            "errors",
            "escape_formulas",
            "explain",
            "fix",
            "force",
            "output",
            "probabilities",
            "report",
        ),
        *("test_output", "train_output"),
    ),
    "Embedding service": (
        *("allow_http", "base_url", "batch_size", "cache_dir", "concurrency", "dry_run", "live", "max_cost"),
        *("no_cache", "retries", "timeout"),
    ),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}
# Fewer options are easier to find in one list.
_LEAST_TO_GROUP = 9
# Of the column with the names of options or commands; longer ones have a line of their own.
_MAX_NAMES, _MAX_NAMES_IF_NARROW = 30, 14
_NARROW = 60
_MIN_WIDTH, _MAX_WIDTH = 30, 100
_MAX_SHORT_HELP = 100
# Stands for a hyphen while lines are wrapped; a character for private use, as wide as a hyphen.
_KEPT_HYPHEN = "\ue000"


class Option(click.Option):
    """An option that may still be called by its old names, which the help does not show.

    Parameters
    ----------
    *args, **settings
        See `click.Option`.
    old_names : sequence of str
    """

    def __init__(self, *args: Any, old_names: Sequence[str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.old_names = old_names

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Register all names."""
        super().add_to_parser(parser, ctx)
        action = "append" if self.multiple else "store"
        parser.add_option(obj=self, opts=self.old_names, dest=self.name, action=action, nargs=self.nargs)


class _Strict(click.Command):
    """A command whose options are given once, unless they take several values: click would take the last."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and check that no option that takes one value was given twice.

        Raises
        ------
        click.UsageError
            If one was.
        """
        if not ctx.resilient_parsing:  # which is for completion
            given = self._parsed(ctx, args)
            options = [one for one in given if isinstance(one, click.Option) and not one.is_flag and not one.multiple]
            for option in options:
                if options.count(option) > 1:
                    typed = {arg.partition("=")[0] for arg in args}
                    old = [name for name in getattr(option, "old_names", ()) if name in typed]
                    name = max(old or option.opts, key=len)
                    raise click.UsageError(f"{name} was given twice: it takes one value.", ctx)
        return super().parse_args(ctx, args)

    def _parsed(self, ctx: click.Context, args: list[str]) -> list[click.Parameter]:
        try:
            return self.make_parser(ctx).parse_args(list(args))[2]
        except click.NoSuchOption as error:
            known = [name for param in self.get_params(ctx) if isinstance(param, click.Option) for name in param.opts]
            suggestion = did_you_mean(error.option_name, known, most=1)
            raise click.UsageError(f"No such option {error.option_name!r}.{suggestion}", ctx) from None


class _Formatter(click.HelpFormatter):
    """Wraps between words only, where click also breaks the names of options at their hyphens."""

    def write(self, string: str) -> None:
        super().write(string.replace(_KEPT_HYPHEN, "-"))

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", _KEPT_HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], *args: Any, **settings: Any) -> None:
        super().write_dl([(first, second.replace("-", _KEPT_HYPHEN)) for first, second in rows], *args, **settings)


class Context(click.Context):
    """A context whose help is written by our formatter."""

    formatter_class = _Formatter


class _WithExamples(_Strict):
    """A command whose help ends with examples and a link.

    Parameters
    ----------
    *args, **settings
        See `click.Command`.
    examples : sequence of str
        Command lines as a person would type them.
    page : str
        Where the command is explained: a page of docs/, with its section.
    """

    context_class = Context

    def __init__(self, *args: Any, examples: Sequence[str], page: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples, self.page = examples, page

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on one line so that it can be copied, and the link."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        formatter.write_paragraph()
        formatter.write(f"Docs: {DOCS}{self.page}\n")


class Group(_WithExamples, click.Group):
    """A command that has commands of its own."""

    command_class = _Strict

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and suggest those that are spelt like one that does not exist."""
        check_command(args[0], self.commands, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with all of its short help."""
        commands = [(name, command.get_short_help_str(_MAX_SHORT_HELP)) for name, command in self.commands.items()]
        write_lists(formatter, {"Commands": commands})


class Command(_WithExamples):
    """A command whose help has its options in groups. A parameter with the metavar FILE completes as a file."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for param in self.params:
            if (param.metavar or "").strip("[].") == "FILE" and param.type is click.STRING:
                param.type = _FileName()
            elif type(param.type) is click.Choice:
                param.type = Choice(param.type.choices, param.type.case_sensitive)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": [], **{group: [] for group in _GROUPS}, "Help": []}
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        shown = [(option, row) for option in options if (row := option.get_help_record(ctx)) is not None]
        for option, row in shown:
            group = "Help" if "--help" in option.opts else _GROUP_OF.get(option.name or "", "Options")
            groups["Options" if len(shown) < _LEAST_TO_GROUP else group].append(row)
        write_lists(formatter, groups)


class _FileName(click.types.StringParamType):
    """The name of a file, or ``-``."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """Let the shell complete it."""
        return completers.files(ctx, param, incomplete)


class Choice(click.Choice[Any]):
    """One of some values; a suggestion is made for one that is mistyped."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return what is wrong with a value."""
        return f"{super().get_invalid_choice_message(value, ctx)}{did_you_mean(str(value), map(str, self.choices))}"


def check_command(name: str, commands: Iterable[str], ctx: click.Context) -> None:
    """Check that a command exists, and suggest those that are spelt like it if it does not.

    Raises
    ------
    click.UsageError
        If it does not exist.
    """
    if name not in (known := [*commands]) and not name.startswith("-") and not ctx.resilient_parsing:
        raise click.UsageError(f"No such command {name!r}.{did_you_mean(name, known)}", ctx)


def did_you_mean(name: str, known: Iterable[str], *, most: int = 2) -> str:
    """Return a question after those that are spelt like a name; empty if none is."""
    from difflib import get_close_matches

    alike = " or ".join(get_close_matches(name, [*known], n=most))
    return f" Did you mean {alike}?" if alike else ""


def help_width() -> int:
    """Return how wide the help is: as the terminal, within limits, where click's is never narrower than 50 columns."""
    return max(_MIN_WIDTH, min(shutil.get_terminal_size().columns - 2, _MAX_WIDTH))


def write_lists(formatter: click.HelpFormatter, lists: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Write several lists of terms and explanations, each under its heading, with their columns aligned.

    Empty lists are left out.
    """
    longest = max((len(first) for rows in lists.values() for first, _ in rows), default=0)
    most = _MAX_NAMES if formatter.width >= _NARROW else _MAX_NAMES_IF_NARROW
    for heading, rows in lists.items():
        if rows:
            with formatter.section(heading):
                formatter.write_dl([(first.ljust(min(longest, most)), second) for first, second in rows], most)
