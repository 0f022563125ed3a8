"""Bring README and docs/ up to date with the program, after a change of its messages, options or docstrings.

::

    python docs/renew.py              # all of it
    python docs/renew.py README.md    # the outputs of these pages alone

Reruns every command that a page shows and writes what it prints where the page shows it, unless only figures differ by
as little as they may from machine to machine. Writes the two references anew, too. Read the diff before you commit it.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generate
import shown


def renew(path: Path) -> int:
    """Rewrite the outputs that a page shows; return how many have changed."""
    with tempfile.TemporaryDirectory() as folder:
        stale = [one for one in shown.run_page(path, Path(folder)) if not one.same]
    page = path.read_text(encoding="utf-8")
    for one in reversed(stale):
        text = one.printed if one.block.language == "json" else shown.renewed(one.printed, one.block.text)
        page = page[: one.block.start] + text + page[one.block.end :]
    if stale:
        path.write_text(page, encoding="utf-8")
    return len(stale)


def main(names: list[str]) -> None:
    """Renew the pages named, or all of them and the references."""
    if not names:
        generate.main()
    for path in [Path(name).resolve() for name in names] or shown.pages():
        changed = renew(path)
        print(f"{path.relative_to(shown.ROOT)}: {f'{changed} renewed' if changed else 'up to date'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
