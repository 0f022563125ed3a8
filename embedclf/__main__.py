"""``python -m embedclf``: the same as the ``embedclf`` command."""

from embedclf.cli import main

main(prog_name="embedclf")
