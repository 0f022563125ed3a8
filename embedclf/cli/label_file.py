"""Write labelled rows to a file, for ``embedclf predict --output``."""

from typing import TYPE_CHECKING

from embedclf.cli.costs import tell_usage
from embedclf.cli.engines import working_on
from embedclf.cli.screen import echo
from embedclf.formatting import counted

if TYPE_CHECKING:
    from embedclf.classifier.text_classifier import TextClassifier
    from embedclf.prediction.predict_files import FilePrediction
    from embedclf.prediction.row_sources import RowSource


def label_into_file(
    classifier: "TextClassifier",
    source: "RowSource",
    output: str,
    *,
    top_k: int | None,
    coverage: float | None,
    delimiter: str | None,
    escape_formulas: bool,
    resume: bool,
    engine: str | None,
    scheduler: str | None,
) -> "FilePrediction":
    """Label rows into a file on the given engine; print the usage if other processes did the work."""
    from embedclf.prediction.predict_files import predict_rows

    with working_on(engine, scheduler):
        done = predict_rows(
            classifier,
            source,
            output,
            top_k=top_k,
            coverage=coverage,
            delimiter=delimiter,
            escape_formulas=escape_formulas,
            resume=resume,
        )
        if engine is not None:
            tell_usage(done.usage)
    return done


def say_labelled(done: "FilePrediction", output: str) -> None:
    """Report how many rows the file has, how many an earlier run wrote, and whether their texts are unlike usual."""
    before = f" ({done.rows_before:,} by an earlier run)" if done.rows_before else ""
    echo(f"Wrote {counted(done.rows, 'row')} to {output}{before}", err=True)
    if done.shift is not None and (remark := done.shift.remark) is not None:
        echo(remark, err=True)
