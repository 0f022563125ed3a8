"""``embedclf info``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli import completers
from embedclf.cli.help import Command
from embedclf.cli.screen import echo, echo_json, echo_lines

if TYPE_CHECKING:
    from embedclf.printing.described import ModelFile


@click.command(
    "info",
    cls=Command,
    page="training.md#describe-a-model",
    examples=[
        "embedclf info",
        "embedclf info models/tickets.safetensors --card README.md",
    ],
)
@click.argument("model", metavar="[MODEL]", required=False, shell_complete=completers.models)
@click.option("--card", metavar="FILE", help="Write a model card in Markdown for Hugging Face; - is stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(model: str | None, card: str | None, as_json: bool) -> None:
    """Describe MODEL: its classes, embedder and features, how good it is, and how to use it.

    Without MODEL, describe the one that predict would use. Neither the embedder nor a key is needed.
    """
    from embedclf.cli.models import find_model

    if card == "-" and as_json:
        raise click.UsageError("--json and --card - would both be written to standard output.")
    file = _read(find_model(model))
    if card is not None:
        _write_card(file, card)
    if as_json:
        echo_json(_record(file))
    elif card is None:
        from embedclf.printing.described import model_lines

        echo_lines(model_lines(file))


def _read(path: str) -> "ModelFile":
    from embedclf.classifier.model_file import format_of, read_model
    from embedclf.printing.described import ModelFile

    model, card = read_model(path)
    return ModelFile(path, Path(path).stat().st_size, format_of(model, card), model, card)


def _record(file: "ModelFile") -> dict[str, object]:
    from embedclf.printing.described import accuracy_interval

    model, card = file.model, file.card
    interval = accuracy_interval(card.held_out)
    return {
        "classes": list(model.classes),
        "features": model.features,
        **card.to_dict(),
        "accuracy_interval": None if interval is None else list(interval),
        "n_ngrams": 0 if model.words is None else len(model.words.vocabulary.hashes),
        "training": None if card.training is None else card.training.to_dict(),
        "file": {"name": file.path, "bytes": file.n_bytes, "format": file.format},
    }


def _write_card(file: "ModelFile", path: str) -> None:
    from embedclf.data.atomic_file import AtomicFile, check_places
    from embedclf.printing.markdown_card import markdown_card

    text = markdown_card(file)
    if path == "-":
        click.echo(text, nl=False)
        return
    check_places({"the model": file.path}, {"--card": path})
    with AtomicFile(path) as written:
        written.write(text.encode())
    echo(f"Wrote {path}", err=True)
