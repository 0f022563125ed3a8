"""Checks of labelled texts that need no vectors, and so cost neither time nor money."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from embedclf.data.label_sets import LabelSet
from embedclf.data.mojibake import REPLACED, read_as, repaired, wrong_encoding
from embedclf.embedding.base import Embedder
from embedclf.features.languages import notable_languages, shown_language
from embedclf.formatting import counted
from embedclf.missing import is_gap, placeholder_labels, placeholder_texts
from embedclf.quality.findings import Finding, Other
from embedclf.validation import text_fault

# With fewer, holding out a fifth holds out none, and some of five folds have none.
FEWEST_TEXTS = 5
MOST_IMBALANCE = 10
_LONGEST = 60


def plain_findings(
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    against: tuple[Sequence[str], Sequence[str]] | None = None,
    embedder: Embedder | None = None,
    label_sets: Sequence[LabelSet] | None = None,
) -> list[Finding]:
    """Return the findings that need no vectors.

    Parameters
    ----------
    texts, labels : sequences of str, of equal length
        A missing label is empty; if all are missing, that is no finding.
    against : (texts, labels), optional
        Texts that should not occur among `texts`.
    embedder : Embedder, optional
        The embedder, which may limit the length of texts, and their language.
    label_sets : sequence of tuple of str, optional
        The labels of each text, if it may have several or none; `labels` shows them.
    """
    findings = _empty(texts, labels, has_labels=label_sets is None and any(labels))
    sets = [(label,) if label else () for label in labels] if label_sets is None else label_sets
    faulty = {finding.row for finding in findings}
    rows = [row for row in range(len(texts)) if row not in faulty]
    findings += _repeated(texts, labels, rows, sets)
    if against is not None:
        findings += _leaked(texts, labels, rows, against)
    findings += _of_classes(texts, sets, rows) + _placeholders(texts, labels, sets)
    findings += _garbled(texts, labels, rows)
    if embedder is not None:
        if embedder.knows_only_english:
            findings += _foreign(texts, labels, rows)
        findings += _too_long(texts, labels, rows, embedder)
    return findings


def _empty(texts: Sequence[str], labels: Sequence[str], *, has_labels: bool) -> list[Finding]:
    findings = []
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        fault = text_fault(text) or (text_fault(label, "label") if has_labels else None)
        if fault is not None:
            kind = "empty" if is_gap(fault) else "malformed"
            findings.append(Finding(kind, "error", row, text, label, fault))
    return findings


def _placeholders(texts: Sequence[str], labels: Sequence[str], sets: Sequence[LabelSet]) -> list[Finding]:
    single = [(row, label) for row, own in enumerate(sets) for label in own]
    of_labels = {
        word: [single[place][0] for place in places]
        for word, places in placeholder_labels([label for _, label in single]).items()
    }
    return [
        Finding(
            "placeholders",
            "warning",
            rows[0],
            texts[rows[0]],
            labels[rows[0]],
            f"the {what} is {word!r} in {counted(len(rows), 'row')}",
            score=len(rows),
            others=tuple(Other(row, texts[row], labels[row]) for row in rows[1:]),
        )
        for what, found in (("label", of_labels), ("text", placeholder_texts(texts)))
        for word, rows in found.items()
    ]


def _repeated(
    texts: Sequence[str], labels: Sequence[str], rows: Sequence[int], sets: Sequence[LabelSet]
) -> list[Finding]:
    first_with: dict[str, dict[str, int]] = {}  # the first row of each text under each label
    duplicates = []
    for row in rows:
        text, label = texts[row], labels[row]
        first = first_with.setdefault(text, {}).setdefault(label, row)
        if first != row:
            duplicates.append(Finding("duplicates", "warning", row, text, label, others=(Other(first, text, label),)))
    contradictory = {text for text, firsts in first_with.items() if len(firsts) > 1}
    conflicts = []
    first_of = {text: min(firsts.values()) for text, firsts in first_with.items()}
    for row in sorted(rows, key=lambda row: (first_of[texts[row]], row)):
        text, label = texts[row], labels[row]
        if text in contradictory:
            others = tuple(Other(first, text, other) for other, first in first_with[text].items() if other != label)
            # Where all share a label, they do not contradict each other: some may have too few.
            every = [set(sets[one]) for one in first_with[text].values()]
            in_all = set.intersection(*every)
            is_one_each = max(map(len, every)) == 1 and all(every)
            detail = "" if is_one_each else f"not all have {', '.join(sorted(set.union(*every) - in_all))}"
            conflicts.append(
                Finding("conflicts", "warning" if in_all else "error", row, text, label, detail, others=others)
            )
    return conflicts + duplicates


def _garbled(texts: Sequence[str], labels: Sequence[str], rows: Sequence[int]) -> list[Finding]:
    """Find texts that were decoded in a wrong encoding, each with how it reads when that is undone."""
    odd = [row for row in rows if not texts[row].isascii()]
    encoding = wrong_encoding(texts[row] for row in odd)
    findings = []
    for row in odd:
        text = texts[row]
        if encoding is not None:
            detail = f"would read {_cut(read_as(text, encoding))!r} as {encoding}"
        elif REPLACED in text:
            detail = "has U+FFFD, which stands for what could not be read"
        elif (better := repaired(text)) is not None:
            detail = f"would read {_cut(better)!r}"
        else:
            continue
        findings.append(Finding("garbled", "warning", row, text, labels[row], detail))
    return findings


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _leaked(
    texts: Sequence[str], labels: Sequence[str], rows: Sequence[int], against: tuple[Sequence[str], Sequence[str]]
) -> list[Finding]:
    place: dict[str, int] = {}
    for row, text in enumerate(against[0]):
        place.setdefault(text, row)
    return [
        Finding(
            "leakage",
            "error",
            row,
            texts[row],
            labels[row],
            others=(Other(other, texts[row], against[1][other], in_against=True),),
        )
        for row in rows
        if (other := place.get(texts[row])) is not None
    ]


def _of_classes(texts: Sequence[str], sets: Sequence[LabelSet], rows: Sequence[int]) -> list[Finding]:
    n_rows = Counter(label for row in rows for label in sets[row])
    if not n_rows:
        return []
    first_row: dict[str, int] = {}
    distinct: dict[str, set[str]] = {label: set() for label in n_rows}
    for row in rows:
        for label in sets[row]:
            first_row.setdefault(label, row)
            distinct[label].add(texts[row])

    def about(kind: str, label: str, detail: str, score: float, **more: object) -> Finding:
        severity = more.pop("severity", "warning")
        row = first_row[label]
        return Finding(kind, severity, row, texts[row], label, detail, score=score, **more)  # type: ignore[arg-type]

    if len(n_rows) == 1:
        (label,) = n_rows
        return [about("single_class", label, "a classifier needs at least two labels", 1, severity="error")]
    findings = []
    sizes = {label: len(of_label) for label, of_label in distinct.items()}
    for label in sorted(sizes, key=lambda label: (sizes[label], first_row[label])):
        if sizes[label] < FEWEST_TEXTS:
            severity = "error" if sizes[label] == 1 else "warning"
            size = f"only {counted(sizes[label], 'text')}"
            findings.append(about("small_classes", label, size, sizes[label], severity=severity))
    findings += [
        about(
            "label_variants",
            label,
            f"{counted(n_rows[label], 'row')}; {suggested!r} has {n_rows[suggested]:,}",
            n_rows[label],
            suggested=suggested,
            others=(Other(first_row[suggested], texts[first_row[suggested]], suggested),),
        )
        for label, suggested in _variants(n_rows, first_row).items()
    ]
    most = max(n_rows, key=n_rows.__getitem__)
    for label in sorted(n_rows, key=lambda label: (n_rows[label], first_row[label])):
        if n_rows[most] > MOST_IMBALANCE * n_rows[label]:
            ratio = n_rows[most] / n_rows[label]
            detail = f"{counted(n_rows[label], 'row')}; {most!r} has {n_rows[most]:,}, {ratio:,.0f} times as many"
            findings.append(about("imbalance", label, detail, ratio))
    return findings


def _variants(n_rows: Counter[str], first_row: dict[str, int]) -> dict[str, str]:
    """Map labels that differ from another only in case, spaces or Unicode form to the most common form."""
    alike: dict[str, list[str]] = {}
    for label in n_rows:
        alike.setdefault(_bare(label), []).append(label)
    variants: dict[str, str] = {}
    for written in alike.values():
        usual = min(written, key=lambda label: (-n_rows[label], first_row[label]))
        variants |= {label: usual for label in written if label != usual}
    return variants


def _bare(label: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    # Cf is the category of invisible characters such as the zero-width space.
    return "".join(c for c in folded if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf"))


def _foreign(texts: Sequence[str], labels: Sequence[str], rows: Sequence[int]) -> list[Finding]:
    return [
        Finding(
            "language",
            "warning",
            rows[one.first],
            texts[rows[one.first]],
            labels[rows[one.first]],
            shown_language(one),
            score=one.share,
        )
        for one in notable_languages([texts[row] for row in rows])
    ]


def _too_long(texts: Sequence[str], labels: Sequence[str], rows: Sequence[int], embedder: Embedder) -> list[Finding]:
    return [
        Finding("too_long", "warning", row, texts[row], labels[row], warning, score=len(texts[row].encode()))
        for row in rows
        if (warning := embedder.length_warning(texts[row])) is not None
    ]
