"""How soon the labelling page shows the next text: a person who knows the labels, at the keys of a real browser.

    python benchmarks/labelling_page.py --banking77 FOLDER

FOLDER is that of quality.py; without it, the support tickets take its place. ``embedclf label`` runs as a person runs
it, with WordLlama's vectors and 50,000 rows: those of the set, and copies of them with a word more. What is timed goes
from the key press that answers, as the browser stamps it, to the first frame after the next text is in the page.
Requires playwright and a Chromium.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from labelling import many
from playwright.sync_api import Browser, Page, sync_playwright
from quality import DATASETS, read

READY = "body[data-state=ready]"
# When the key was pressed and when the next text could be seen, for each answer.
WATCH = """() => {
  let pressed = 0;
  window.waits = [];
  addEventListener("keydown", (event) => { if (/^[1-9]$|^Enter$/.test(event.key)) pressed = event.timeStamp; }, true);
  new MutationObserver(() => requestAnimationFrame(() => {
    const channel = new MessageChannel(), from = pressed;
    channel.port1.onmessage = () => window.waits.push(performance.now() - from);
    channel.port2.postMessage(0); // after this frame
  })).observe(document.getElementById("words"), { childList: true });
}"""


# The command, and the same with a learner that never learns.
COMMAND = "from embedclf.cli import main; main()"
WITHOUT_LEARNING = "from embedclf.labelling.learner import BackgroundLearner as it; it.learn = lambda *_: None; "
# When it is known how long the embedding took; until then, files are read and vectors made.
TIMED = """
import sys, time
from embedclf.labelling import opening
really = opening.open_session
def open_session(*given, **named):
    print("embedded", flush=True, file=sys.stderr)
    return really(*given, **named)
opening.open_session = open_session
"""


@contextmanager
def labelling(folder: Path, order: str, *, learns: bool) -> Iterator[tuple[str, float]]:
    """Run the command on the texts of a folder; give its address, and when the texts had been embedded."""
    code = f"{TIMED}{'' if learns else WITHOUT_LEARNING}{COMMAND}"
    given = ["label", "inbox.csv", "-o", "labelled.csv", "--no-browser", "--order", order]
    with subprocess.Popen(
        [sys.executable, "-c", code, *given], cwd=folder, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        began, said = time.perf_counter(), ""
        for line in process.stderr:
            said += line
            if line == "embedded\n":
                print(f"embedded {time.perf_counter() - began:.1f} s after the start", end="")
                began = time.perf_counter()
            if (found := re.search(r"http://\S+", line)) is not None:
                break
        else:
            raise SystemExit(said)
        try:
            yield found[0], began
        finally:
            process.terminate()
            process.stderr.read()


def answer(page: Page, label: str) -> str:
    """Give a label to the text that is shown: by its digit if there is one, else by typing. Return the last key."""
    names = page.eval_on_selector_all("#labels button", "all => all.map(one => one.getAttribute('aria-label'))")
    for name in names[:9]:
        if (found := re.match(r"(\d): (.*?)(, (<\s)?\d+\s%)?(, current label)?$", name)) and found[2] == label:
            page.keyboard.press(found[1])
            return "digit"
    page.keyboard.insert_text(label)
    hint = page.locator("#hint").text_content()
    makes_new = f"new label {label}" in hint and not hint.startswith("Enter makes")
    page.keyboard.press("Shift+Enter" if makes_new else "Enter")
    return "typed"


def label_all(page: Page, label_of: dict[str, str], n: int, think: float) -> tuple[list[float], list[str], list[str]]:
    """Label n texts; return the milliseconds until each next text, how it was answered, and what advice came."""
    page.evaluate(WATCH)
    page.evaluate("performance.setResourceTimingBufferSize(100_000)")
    ways, said = [], []
    for _ in range(n):
        page.wait_for_selector(READY)
        time.sleep(think)
        ways.append(answer(page, label_of[page.locator("#words").text_content()]))
        page.wait_for_function("n => window.waits.length >= n", arg=len(ways))
        if len(ways) % 100 == 0:
            said.append(
                " | ".join(line for line in page.get_by_role("complementary").inner_text().split("\n") if line)[:200]
            )
    return page.evaluate("window.waits"), ways, said


# Of the time until the next text, the server and the way to it and back.
FETCHES = """() => performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/answer"))
  .map((one) => one.responseEnd - one.startTime)"""


def shown(milliseconds: list[float]) -> str:
    p50, p95 = np.percentile(milliseconds, (50, 95))
    over = np.mean(np.array(milliseconds) > 50)
    return f"p50 {p50:.0f}, p95 {p95:.0f}, max {max(milliseconds):.0f} ms, {over:.1%} above 50 ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking77", type=Path, metavar="FOLDER", help="without it, datasets/support_tickets.csv")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--labelled", type=int, default=0, help="rows that the file has labels for")
    parser.add_argument("--think", type=float, default=0.2, metavar="SECONDS", help="between a text and its answer")
    parser.add_argument("--order", default="suggest")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    path = DATASETS / "support_tickets.csv"
    if args.banking77 is not None:
        path = args.banking77 / "banking77_train.csv"
    texts, labels = many(read(path), args.rows)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
        for learns in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                label_in(Path(folder), browser, texts, labels, args, learns=learns)
        browser.close()


def label_in(
    folder: Path, browser: Browser, texts: list[str], labels: list[str], args: argparse.Namespace, *, learns: bool
) -> None:
    """Label in a folder, and print how long everything took."""
    with (folder / "inbox.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        each = enumerate(zip(texts, labels, strict=True))
        rows.writerows((text, label if row < args.labelled else "") for row, (text, label) in each)
    with labelling(folder, args.order, learns=learns) as (address, began):
        page = browser.new_page(viewport={"width": 1_400, "height": 900})
        page.goto(address)
        page.wait_for_selector(READY)
        print(f", the first text {time.perf_counter() - began:.1f} s later", flush=True)
        label_of = dict(zip(texts, labels, strict=True))
        waits, ways, said = label_all(page, label_of, args.answers, args.think)
        fetches = page.evaluate(FETCHES)
        page.close()
    for one in said:
        print(f"  {one}")
    print(
        f"{'with' if learns else 'without'} a learner: {shown(waits)}; {ways.count('digit') / len(ways):.0%} by digits"
    )
    print(f"  of which until the answer of the server {shown(fetches)}", flush=True)


if __name__ == "__main__":
    main()
