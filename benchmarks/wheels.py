"""Whether there is a wheel of every dependency, for Pythons and machines that are not at hand.

    pip install uv
    python benchmarks/wheels.py

uv resolves what pyproject.toml asks for as pip would on the machine in question, markers included, and takes wheels
only. Where that fails, each package is asked for by itself in the version that the Python before gets, and those
without a wheel are named. Nothing is installed or run: a wheel that is there may still not work.
"""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
MACHINES = {
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS 13 arm64": "aarch64-apple-darwin",
    "Windows x86_64": "x86_64-pc-windows-msvc",
}


def resolve(python: str, platform: str, args: list[str], asked: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header"]
    command += ["--only-binary", ":all:", "--python-version", python, "--python-platform", platform, *args]
    return subprocess.run(command, input=asked, capture_output=True, text=True)


def without_wheel(python: str, platform: str, pins: dict[str, str]) -> list[str]:
    lacking: list[str] = []
    while True:
        rest = "\n".join(f"{name}=={version}" for name, version in pins.items() if name not in lacking)
        done = resolve(python, platform, ["--no-deps", "-"], rest)
        if done.returncode == 0:
            return lacking
        if (named := re.search(r"Wheels are required for `([^`]+)`", done.stderr)) is None:
            sys.exit(done.stderr)
        lacking.append(named[1])


def main() -> None:
    if find_spec("uv") is None:
        sys.exit("this needs uv: pip install uv")
    for what, extra in (("pip install .", []), ("pip install '.[dev]'", ["--extra", "dev"])):
        for machine, platform in MACHINES.items():
            pins: dict[str, str] = {}
            for python in PYTHONS:
                done = resolve(python, platform, [*extra, str(PYPROJECT)])
                if done.returncode == 0:
                    pins = dict(line.split("==") for line in done.stdout.splitlines())
                    found = f"all {len(pins)} are there, wordllama {pins['wordllama']}"
                else:
                    lacking = without_wheel(python, platform, pins)
                    found = f"of {len(pins)}, there is none of {', '.join(lacking)}"
                print(f"{what}, Python {python}, {machine}: {found}", flush=True)


if __name__ == "__main__":
    main()
