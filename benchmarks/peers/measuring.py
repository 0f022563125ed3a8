"""One side in a process of its own, and curves over sizes that end where a budget would be passed.

Imported by both ends, also in environments that have little else: the standard library only.
"""

import json
import math
import os
import re
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

CHUNK = 20_000  # rows that a side takes at once where all of them would not fit into memory
_CHEAP = 5.0  # seconds; what takes longer runs once
_RUNS = 3
_GLANCE = 0.5  # seconds between looks at a side's memory

Figures = dict[str, float]


class SideError(Exception):
    """A side that did not come to its end, and why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all areas are measured with: rows, seconds a step, MB a process, and folders."""

    sizes: list[int]
    seconds: float
    memory: float
    scratch: Path
    environments: Path
    banking77: Path | None


@dataclass(frozen=True, slots=True)
class Step:
    """Something to measure at every size; the first of several may make what the others need."""

    name: str
    run: Callable[[int], Figures]


@dataclass(slots=True)
class Curve:
    """One side, over sizes."""

    name: str
    steps: list[Step]
    clear: Callable[[int], None] = lambda n: None
    points: list[dict[str, object]] = field(default_factory=list)
    ended: dict[str, object] | None = None

    def end(self, n: int, why: str) -> None:
        self.ended = {"rows": n, "why": why}
        say(f"  {self.name} ends before {n:,}: {why}")

    def to_dict(self) -> dict[str, object]:
        return {"points": self.points, "ended": self.ended}


def say(text: str) -> None:
    print(text, flush=True)


def report(work: Callable[[], object], after: Callable[[], Figures] = dict) -> None:
    """Run one side in this process, and print what it took; and what is found out afterwards."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "memory": _memory("self", "VmHWM"), **after()}))


def _memory(process: int | str, kind: str) -> float:
    """MB of a process (Linux): VmHWM is the most that it had, RssAnon what it has now beside the files that it maps."""
    found = re.search(rf"{kind}:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1_024 if found else 0.0


def in_a_process(command: list[str], setting: Setting, longer: float = 2) -> Figures:
    """Run a side that ends with `report`; what was not foreseen may take longer, by so much."""
    return json.loads(_run(command, setting, longer).splitlines()[-1])


def whole_process(command: list[str], setting: Setting) -> Figures:
    """Measure a process from the outside, imports and all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    _run(command, setting, 1)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "cpu": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime}


def _run(command: list[str], setting: Setting, longer: float) -> str:
    # What is set for the API's address or cache would be measured in place of what is meant.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIMLAPI_", "EMBEDCLF_"))}
    env["PYTHONWARNINGS"] = "ignore"
    most = longer * setting.seconds
    until = time.monotonic() + most
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        while True:
            try:
                told, remarks = process.communicate(timeout=_GLANCE)
                break
            except subprocess.TimeoutExpired:
                late, large = time.monotonic() > until, _memory(process.pid, "RssAnon") > setting.memory
                if late or large:
                    process.kill()
                    process.communicate()
                    reason = f"after {most:,.0f} s" if late else f"at {setting.memory:,.0f} MB"
                    raise SideError(f"stopped {reason}") from None
    if process.returncode:
        say(remarks)  # which may name paths, so that only the kind of error is part of the results
        last = remarks.strip().splitlines() or [f"exit code {process.returncode}"]
        raise SideError(f"failed: {last[-1].partition(':')[0]}")
    return told


def in_turn(sides: dict[str, Callable[[], Figures]], runs: int = _RUNS) -> dict[str, Figures | SideError]:
    """Run all in turn, again while that is cheap; gives the medians, or what went wrong."""
    found: dict[str, list[Figures]] = {name: [] for name in sides}
    failed: dict[str, SideError] = {}
    for number in range(runs):
        for name, run in sides.items():
            if name in failed or (number and found[name][0]["wall"] > _CHEAP):
                continue
            try:
                found[name].append(run())
            except SideError as error:
                failed[name] = error
    return {name: failed.get(name) or _medians(figures) for name, figures in found.items()}


def _medians(figures: list[Figures]) -> Figures:
    return {key: median(one[key] for one in figures) for key in figures[0]} | {"runs": len(figures)}


def grow(curves: list[Curve], setting: Setting, *, apart_from: float = math.inf) -> dict[str, object]:
    """Measure curves at each size, in turn; from `apart_from` rows on one after another, which needs less disk."""
    for n in setting.sizes:
        going = [curve for curve in curves if _goes_on(curve, n, setting)]
        for group in [[curve] for curve in going] if n >= apart_from else [going]:
            _measure(group, n)
    return {curve.name: curve.to_dict() for curve in curves}


def _measure(group: list[Curve], n: int) -> None:
    points: dict[str, dict[str, object]] = {curve.name: {"rows": n} for curve in group}
    for name in dict.fromkeys(step.name for curve in group for step in curve.steps):
        steps = {
            curve.name: step for curve in group for step in curve.steps if step.name == name and curve.ended is None
        }
        done = in_turn({side: lambda step=step: step.run(n) for side, step in steps.items()})
        for curve in group:
            figures = done.get(curve.name)
            if isinstance(figures, SideError):
                curve.end(n, f"{name}: {figures}")
            elif figures is not None:
                points[curve.name][name] = figures
                say(f"  {curve.name}, {n:,} rows, {name}: {figures['wall']:.3f} s, CPU {figures['cpu']:.3f} s")
    for curve in group:
        if curve.ended is None:
            curve.points.append(points[curve.name])
        curve.clear(n)


def _goes_on(curve: Curve, n: int, setting: Setting) -> bool:
    if curve.ended is not None:
        return False
    for step in curve.steps:
        foreseen = _foreseen(curve.points, step.name, n)
        if foreseen > setting.seconds:
            curve.end(n, f"{step.name} would take about {foreseen:,.0f} s, more than {setting.seconds:,.0f} s")
            return False
    return True


def _foreseen(points: list[dict[str, object]], step: str, n: int) -> float:
    """Seconds, by the line through the last two sizes; from a single one, in proportion."""
    known = [(point["rows"], point[step]["wall"]) for point in points if step in point]
    if not known:
        return 0.0
    rows, value = known[-1]
    if len(known) == 1:
        return value * n / rows
    before, less = known[-2]
    return value + max(0.0, value - less) / (rows - before) * (n - rows)


def chunks(n: int, size: int = CHUNK) -> Iterator[tuple[int, int]]:
    for start in range(0, n, size):
        yield start, min(start + size, n)
