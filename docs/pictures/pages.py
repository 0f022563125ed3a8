"""Take the pictures of a report and of a map: ``python docs/pictures/pages.py``; needs Chromium.

Both pages are made by the commands that README and docs/ show, on the datasets of this repository.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

import shown

HERE = Path(__file__).parent
TICKETS = "datasets/support_tickets"
PICTURES = {
    "report": (["evaluate", f"{TICKETS}_test.csv", "-m", "models/example.safetensors", "--report"], 1000, 820),
    "map": (["map", f"{TICKETS}.csv", "--output"], 1000, 640),
}


def main() -> None:
    """Make each page and take its picture."""
    browser = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "clone"
        shown.lay_out(folder, every=1)
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for name, (arguments, width, height) in PICTURES.items():
            page = folder / f"{name}.html"
            command = [sys.executable, "-m", "embedclf", *arguments, str(page)]
            environment = {**os.environ, "PYTHONPATH": str(shown.ROOT)}
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
            tab = opened.new_page(viewport={"width": width, "height": height})
            tab.goto(page.as_uri())
            tab.wait_for_timeout(2_000)
            tab.screenshot(path=HERE / f"{name}.png")
        opened.close()


if __name__ == "__main__":
    main()
