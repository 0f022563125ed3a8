"""What a shell is offered as the value of an option when the Tab key is pressed."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# A larger file takes longer to read than a person waits for a completion.
_MOST_BYTES = 10_000_000


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Let the shell complete a file name."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Complete the model files in ``models/``, or any file if none of them fits."""
    from click.shell_completion import CompletionItem

    from embedclf.cli.models import FOLDER

    found = _starting(sorted(path.as_posix() for path in FOLDER.glob("*.safetensors")), incomplete)
    return [CompletionItem(path) for path in found] or files(ctx, param, incomplete)


def embedders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the embedders that `embedclf embedders` lists."""
    from embedclf.embedding.aimlapi.catalogue import CATALOGUE
    from embedclf.embedding.fastembed_names import LISTED

    ours = [*(f"aimlapi:{name}" for name in CATALOGUE), *(f"fastembed:{one.name}" for one in LISTED)]
    return _starting(["wordllama", *ours], incomplete)


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the labels of the file named on the command line."""
    from embedclf.data.corpus import read_corpus
    from embedclf.errors import EmbedclfError

    names = ("text_column", "label_column", "delimiter", "encoding", "quoting", "escape_char", "label_map")
    how = {name: ctx.params[name] for name in names if ctx.params.get(name)}
    how["header"] = ctx.params.get("header", True)
    # The option that is being completed has no value yet, at which click stops, and leaves the arguments as they are.
    for path in map(Path, ctx.args):
        # No error may get in the way of the line that is being typed.
        with contextlib.suppress(EmbedclfError, OSError):
            if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                corpus = read_corpus(path, labels="optional", skip_bad_rows=True, **how)
                return _starting(sorted({label for label in corpus.labels if label}), incomplete)
    return []


def _starting(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
