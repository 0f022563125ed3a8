"""Draw README's picture of a terminal from a real session: ``python docs/pictures/terminal.py``.

The commands run in a scratch folder; the one that explains on a terminal of its own, so that it prints in colour.
"""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parent.parent))

import shown

HERE = Path(__file__).parent
WIDTH = 100
COMMANDS = [
    ["train", "datasets/support_tickets.csv"],
    ["predict", "I was charged twice this month"],
    ["predict", "--explain", "The courier never came, so I want my money back"],
]


def on_a_terminal(arguments: list[str], folder: Path) -> str:
    """Return what a command prints on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIMLAPI_", "EMBEDCLF_"))}
    environment |= {
        "TERM": "xterm-256color",
        "PYTHONPATH": str(shown.ROOT),
        "EMBEDCLF_CACHE_DIR": str(folder / "cache"),
    }
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "embedclf", *arguments]
    if "--explain" not in arguments:  # without a terminal, there is no progress bar to be drawn
        os.close(ours)
        os.close(theirs)
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        return done.stdout.decode()
    running = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, cwd=folder, env=environment)
    os.close(theirs)
    read = b""
    with suppress(OSError):  # the other end is closed
        while piece := os.read(ours, 65536):
            read += piece
    os.close(ours)
    if running.wait():
        raise SystemExit(read.decode())
    return read.decode().replace("\r\n", "\n")


def main() -> None:
    """Run the session and write terminal.svg."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        shown.lay_out(folder, every=1)
        for number, arguments in enumerate(COMMANDS):
            quoted = " ".join(f'"{word}"' if " " in word else word for word in arguments)
            console.print(Text(f"$ embedclf {quoted}", style="bold"))
            console.print(Text.from_ansi(on_a_terminal(arguments, folder).rstrip("\n")))
            if number < len(COMMANDS) - 1:
                console.print()
    svg = console.export_svg(title="embedclf", unique_id="terminal")
    # The picture asks no server for a font.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "Fira Code, Menlo, Consolas, DejaVu Sans Mono, monospace")
    (HERE / "terminal.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
