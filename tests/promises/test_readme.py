"""What README promises, beside its commands and outputs, which `test_docs.py` runs with those of the other pages."""

import re

import click
import pytest

from corpus import ROOT
from embedclf.cli import main

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_its_table_has_every_command():
    table = README.partition("\n## Commands\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|.*\|$", table, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert named == set(main.list_commands(click.Context(main)))


@pytest.mark.parametrize("end", ["embedclf train datasets/support_tickets.csv", "python -m pytest"])
def test_a_line_sets_up_from_nothing(end: str):
    """The line that ends with pytest is the one by which CI installs."""
    (line,) = [line for line in README.splitlines() if line.endswith(f" && {end}")]
    assert line.startswith("python3 -m venv .venv && . .venv/bin/activate && pip install ")


def test_its_figures_are_those_of_the_benchmarks():
    benchmarks = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    table = README.partition("\n## How good is it?\n")[2].partition("\n## ")[0]
    figures = re.findall(r"0\.\d+", table)
    assert len(figures) >= 14
    assert [figure for figure in figures if figure not in benchmarks] == []
