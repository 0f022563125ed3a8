"""embedclf against what people would pick instead, from 1,000 to 1,000,000 rows.

    OMP_NUM_THREADS=1 python benchmarks/peers --banking77 FOLDER

Six areas, the same rows and the same vectors for all sides: client, cache, training, start-up, files and service. Each
side is a process of its own; time is measured inside it, without its imports, except where start-up is what is
measured. Sides take turns, three times while a run takes no more than five seconds, and the median counts. A side whose
next size would take longer than --seconds for a step, by the line through its last two sizes, ends there, or where it
would have more than --memory; so do ours.

Without Banking77, training is measured on the support tickets alone. What is missing here and can be installed gets a
virtual environment of its own (--environments keeps them). It needs 20 GB of disk for a while, where temporary files
are (TMPDIR), and writes peers.json, peers.svg and its section of the README.
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(1, str(HERE.parent))

from environments import installed, python_for, version_in  # noqa: E402
from measuring import Setting, SideError, say  # noqa: E402
from tables import refresh  # noqa: E402

RESULTS = HERE.parent / "peers.json"
PLOT = HERE.parent / "peers.svg"
README = HERE.parent / "README.md"
AREAS = {
    "client": "clients",
    "cache": "caches",
    "training": "training",
    "start-up": "start_up",
    "files": "files",
    "service": "services",
}
SIZES = [1_000, 10_000, 100_000, 1_000_000]
PACKAGES = (
    "fastapi",
    "joblib",
    "langchain-openai",
    "numpy",
    "openai",
    "pandas",
    "scikit-learn",
    "uvicorn",
    "wordllama",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--banking77", type=Path, metavar="FOLDER", help="of banking77_train.csv and banking77_test.csv"
    )
    parser.add_argument("--only", metavar="AREA,…", help=f"of {', '.join(AREAS)}; the others stay as they were")
    parser.add_argument("--sizes", metavar="ROWS,…", help="instead of 1,000 to 1,000,000")
    parser.add_argument("--seconds", type=float, default=120.0, help="that a step of a side may take")
    parser.add_argument("--memory", type=float, default=8_000.0, help="MB that a side may have, beside mapped files")
    parser.add_argument("--environments", type=Path, metavar="FOLDER", help="to keep, and to find again")
    parser.add_argument("--output", type=Path, metavar="FILE", help="instead of peers.json, and README and plot as is")
    parser.add_argument("--draw", action="store_true", help="only README and plot, of the results there are")
    args = parser.parse_args()
    areas = args.only.split(",") if args.only else list(AREAS)
    if unknown := set(areas) - set(AREAS):
        parser.error(f"no such area: {', '.join(sorted(unknown))}")
    results = args.output or RESULTS
    with tempfile.TemporaryDirectory() as name:
        setting = Setting(
            sizes=[int(size) for size in args.sizes.split(",")] if args.sizes else SIZES,
            seconds=args.seconds,
            memory=args.memory,
            scratch=Path(name),
            environments=(args.environments or Path(name) / "environments").resolve(),
            banking77=args.banking77,
        )
        if not args.draw:
            measure(setting, areas, results)
        if args.output is None:
            refresh(README, json.loads(RESULTS.read_text()))
            draw(setting)


def measure(setting: Setting, areas: list[str], results: Path) -> None:
    before = json.loads(results.read_text()) if results.exists() else {}
    found = {**before.get("areas", {})}
    for area in areas:
        say(f"{area} …")
        start, load = time.perf_counter(), os.getloadavg()[0]
        found[area] = importlib.import_module(AREAS[area]).measure(setting)
        say(f"{area}: {time.perf_counter() - start:,.0f} s")
        found[area] |= {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "load": round(load, 1)}
        # As soon as it is there: what comes after may fail.
        told = {
            "machine": machine(),
            "versions": {name: installed(name) for name in PACKAGES},
            "budget": {"seconds": setting.seconds, "memory": setting.memory},
            "areas": {name: found[name] for name in AREAS if name in found},
        }
        results.write_text(json.dumps(_rounded(told), indent=1) + "\n")


def machine() -> dict[str, object]:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    assert memory is not None
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 1e6),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
    }


def draw(setting: Setting) -> None:
    try:
        python = python_for(setting.environments, "matplotlib")
    except SideError as error:
        say(f"No plot: {error}")
        return
    subprocess.run([python, str(HERE / "plot.py"), str(RESULTS), str(PLOT)], check=True)
    say(f"Drew {PLOT.name} with matplotlib {version_in(python, 'matplotlib')}")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
