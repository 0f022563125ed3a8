"""The section of the README: tables of the results, and first where a peer is ahead."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

BEGIN, END = "<!-- made by benchmarks/peers -->", "<!-- end of what benchmarks/peers made -->"
OURS = {"embedclf", "embedclf serve", "embedclf, centroid", "embedclf, one request at a time"}
LIMITS = {"np.load"}
_ALIKE = 0.95  # times of which the smaller is more than this share of the larger are alike
Results = dict[str, Any]

# Area, step, what is measured of it, and how it is said.
GROWING = [
    ("client", "embed", "cpu", "embedding, CPU time"),
    ("cache", "read", "wall", "reading all"),
    ("cache", "write", "wall", "writing"),
    ("cache", "one", "wall", "one predict of a cached text"),
    ("training", "fit", "wall", "fitting"),
    ("files", "predict", "wall", "a file"),
    ("files", "predict", "memory", "a file, memory"),
]
QUALITIES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
}


def refresh(readme: Path, results: Results) -> None:
    """Put the tables between their two marks."""
    text = readme.read_text(encoding="utf-8")
    made = "\n".join(section(results))
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    text = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{made}\n{END}", text, flags=re.DOTALL)
    readme.write_text(text, encoding="utf-8")


def section(results: Results) -> Iterator[str]:
    yield from _machine(results)
    yield "\nWhere another tool is ahead of embedclf, with the ratio of its figure to ours (limits, which do only the"
    yield "bare minimum, appear in the tables alone):\n"
    yield from _ahead(results["areas"])
    for area, told in _AREAS.items():
        if area in results["areas"]:
            yield from told(results["areas"][area])


def _machine(results: Results) -> Iterator[str]:
    machine, areas = results["machine"], results["areas"]
    dates = sorted({area["date"] for area in areas.values()})
    loads = [area["load"] for area in areas.values()]
    versions = {**results["versions"]}
    for area in areas.values():
        versions |= area.get("versions", {})
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if version)
    told = (
        f"{' and '.join(dict.fromkeys((dates[0], dates[-1])))}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}, "
        f"OMP_NUM_THREADS {machine['threads']}; {listed}. System load when an area began: "
        f"{min(loads):g} to {max(loads):g}. Allowed: {results['budget']['seconds']:g} s per step, and "
        f"{results['budget']['memory'] / 1_000:g} GB per process besides the files that it maps."
    )
    yield fill(told, 120, break_on_hyphens=False)


def _ahead(areas: Results) -> Iterator[str]:
    said = False
    for area, step, key, name in GROWING:
        for side, peer in areas.get(area, {"sides": {}})["sides"].items():
            if side in OURS | LIMITS:
                continue
            ours = {point["rows"]: point[step][key] for point in areas[area]["sides"]["embedclf"]["points"]}
            ratios = {
                point["rows"]: point[step][key] / ours[point["rows"]]
                for point in peer["points"]
                if step in point and point["rows"] in ours
            }
            ahead = [f"{ratio:.2f} × at {rows:,}" for rows, ratio in ratios.items() if ratio < _ALIKE]
            ahead += [
                f"reaches {point['rows']:,}, which embedclf does not"
                for point in peer["points"]
                if step in point and point["rows"] not in ours
            ]
            if ahead:
                said = True
                yield f"- {area}, {name}: {side}, {', '.join(ahead)}"
    for corpus, sides in areas.get("training", {"quality": {}})["quality"].items():
        ours = sides["embedclf"]
        for key, name in QUALITIES.items():
            sign = 1 if key in ("accuracy", "macro_f1") else -1
            for side, figures in sides.items():
                if side not in OURS and sign * (figures.get(key, ours[key]) - ours[key]) > 0:
                    said = True
                    yield f"- training, {name}, {corpus}: {side}, {figures[key]:.4f} against {ours[key]:.4f}"
    for group in areas.get("start-up", {"commands": {}})["commands"].values():
        (name, ours), *others = group.items()
        for side, figures in others:
            ratio = figures.get("wall", ours["wall"]) / ours["wall"]
            if ratio < _ALIKE and "no more" not in side:
                said = True
                yield f"- start-up, {name}: {side}, {ratio:.2f} ×"
    service = areas.get("service", {"sides": {}})["sides"]
    for side, loads in service.items():
        for load, ours in zip(loads, service["embedclf serve"], strict=True):
            if side not in OURS and load["rate"] * _ALIKE > ours["rate"]:
                said = True
                ratio = load["rate"] / ours["rate"]
                yield f"- service, requests/s, {load['connections']} at once: {side}, {ratio:.2f} ×"
    if not said:
        yield "- nowhere"


def _client(area: Results) -> Iterator[str]:
    yield "\n### The client\n"
    yield "CPU seconds of the client (wall seconds in brackets) to embed texts, 1,536 dimensions, 20,000 at a time:\n"
    yield from _growth(area, lambda point: f"{_seconds(point['embed']['cpu'])} ({_seconds(point['embed']['wall'])})")


def _cache(area: Results) -> Iterator[str]:
    yield "\n### The cache\n"
    yield "Seconds to read all vectors, 1,536 dimensions, warm, including opening and hashing, 20,000 at a time:\n"
    yield from _growth(area, lambda point: _seconds(point["read"]["wall"]))
    yield "\nSeconds to write them in batches of 512, with bytes on disk per raw byte in brackets:\n"
    yield from _growth(
        area, lambda point: f"{_seconds(point['write']['wall'])} ({point['write']['disk']:.2f})", ended=False
    )
    yield "\nSeconds to predict one cached text, whole process with imports: `embedclf predict`, or a script that opens"
    yield "the cache and a pickled LogisticRegression:\n"
    yield from _growth(area, lambda point: _seconds(point["one"]["wall"]) if "one" in point else None, ended=False)


def _training(area: Results) -> Iterator[str]:
    yield "\n### Training\n"
    yield "On the test sets, from the same WordLlama vectors (TF-IDF: from the texts), with seconds to fit:\n"
    yield f"| | {' | '.join(QUALITIES.values())} | seconds |"
    yield "|---|---|---|---|---|---|"
    for corpus, sides in area["quality"].items():
        for side, figures in sides.items():
            shown = [f"{figures[key]:.4f}" for key in QUALITIES] if "failed" not in figures else ["–"] * 4
            yield f"| {corpus}: {side} | {' | '.join(shown)} | {figures.get('failed') or _seconds(figures['wall'])} |"
    yield f"\nSeconds to fit as rows grow, on {area['rows_of']}; rows beyond its own are made of halves of two texts"
    yield "with the same label, just to measure the time:\n"
    yield from _growth(area, lambda point: _seconds(point["fit"]["wall"]))


def _start_up(area: Results) -> Iterator[str]:
    yield "\n### Start-up\n"
    yield "Wall seconds of a whole process, the median of nine runs (CPU seconds in brackets):\n"
    yield "| what | seconds |"
    yield "|---|---|"
    for group in area["commands"].values():
        for name, figures in group.items():
            shown = figures.get("failed") or f"{figures['wall']:.3f} ({figures['cpu']:.3f})"
            yield f"| {name} | {shown} |"


def _files(area: Results) -> Iterator[str]:
    yield "\n### Files\n"
    yield "Seconds from CSV to CSV, WordLlama, 12 labels (pandas with `WordLlama.embed` and a LogisticRegression), with"
    yield "the peak memory of the process in brackets:\n"
    yield from _growth(
        area, lambda point: f"{_seconds(point['predict']['wall'])} ({point['predict']['memory']:,.0f} MB)"
    )


def _service(area: Results) -> Iterator[str]:
    yield "\n### The service\n"
    yield "Requests per second with one text per request, median latency in brackets; the services take turns:\n"
    loads = next(iter(area["sides"].values()))
    yield f"| | {' | '.join(str(load['connections']) + ' at once' for load in loads)} | errors |"
    yield "|---|" + "---|" * (len(loads) + 1)
    for name, loads in area["sides"].items():
        shown = [f"{load['rate']:,.0f} ({load['p50']:.2f} ms)" for load in loads]
        yield f"| {name} | {' | '.join(shown)} | {sum(load['errors'] for load in loads)} |"


_AREAS = {
    "client": _client,
    "cache": _cache,
    "training": _training,
    "start-up": _start_up,
    "files": _files,
    "service": _service,
}


def _growth(area: Results, shown: Any, *, ended: bool = True) -> Iterator[str]:
    """A table of sides by rows, and why some end."""
    sides = area["sides"]
    sizes = sorted({point["rows"] for side in sides.values() for point in side["points"]})
    yield f"| rows | {' | '.join(f'{size:,}' for size in sizes)} |"
    yield "|---|" + "---|" * len(sizes)
    for name, side in sides.items():
        cells = {point["rows"]: shown(point) for point in side["points"]}
        if any(cells.values()):
            yield f"| {name} | {' | '.join(cells.get(size) or '–' for size in sizes)} |"
    whys = [
        f"- {name} stops before {side['ended']['rows']:,}: {side['ended']['why']}"
        for name, side in sides.items()
        if side["ended"]
    ]
    if whys and ended:
        yield ""
        yield from whys


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.1f}" if seconds >= 10 else f"{seconds:#.2g}"
