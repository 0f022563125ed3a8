"""What options take, and what is said to what is mistyped."""

from pathlib import Path

import click
import pytest

from corpus import QUICKLY
from embedclf.cli.options import Share
from running import Cli


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0.95", 0.95),
        ("95%", 0.95),
        ("95 %", 0.95),
        ("95", 0.95),
        ("99.5", 0.995),
        ("0.5%", 0.005),
        ("1", 1.0),
        ("1%", 0.01),
        ("100", 1.0),
        ("7%", 0.07),
        ("0", 0.0),
    ],
)
def test_a_share_may_be_a_percentage(text: str, share: float):
    """A number from 2 to 100 can only be one."""
    assert Share(0, 1).convert(text, None, None) == share


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.5", "1.5 is not in the range 0<=x<=1."),
        ("101%", "1.01 is not in the range 0<=x<=1."),
        ("250", "250.0 is not in the range 0<=x<=1."),
        ("-5%", "-0.05 is not in the range 0<=x<=1."),
        ("nan%", "'nan%' is not a share such as 0.95 or 95%."),
        ("half", "'half' is not a share such as 0.95 or 95%."),
        ("%", "'%' is not a share such as 0.95 or 95%."),
    ],
)
def test_what_is_no_share(text: str, message: str):
    """Between 1 and 2, the decimal point may have slipped."""
    with pytest.raises(click.BadParameter) as caught:
        Share(0, 1).convert(text, None, None)
    assert caught.value.message == message


def test_options_take_percentages(cli: Cli, dataset: Path, model: Path):
    """--holdout, --min-confidence and --target-accuracy."""
    quickly = [*QUICKLY[:4], "-o", "m.safetensors"]
    result = cli("train", dataset, *quickly, "--holdout", "50%", "--min-confidence", "99.99%")
    assert "Held-out test (15 rows)" in result.stdout
    assert "threshold 0.9999)" in result.stdout
    assert cli("predict", "-m", model, "--min-confidence", "100%", "so so").stdout.startswith("-\t")
    assert "100%" not in cli("train", dataset, *quickly, "--target-accuracy", "100%").stdout


@pytest.mark.parametrize(
    ("mistyped", "message"),
    [
        ("predit", "No such command 'predit'. Did you mean predict?"),
        ("cros-validate", "No such command 'cros-validate'. Did you mean cross-validate?"),
        ("learning_curve", "No such command 'learning_curve'. Did you mean learning-curve?"),
        ("bake", "No such command 'bake'."),
    ],
)
def test_a_mistyped_command_has_a_suggestion(cli: Cli, mistyped: str, message: str):
    """If there is one that is spelt like it."""
    result = cli(mistyped, "x.csv")
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {message}\n")
