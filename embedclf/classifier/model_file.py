"""The model file: one ``.safetensors`` file with the weights and a model card.

It has the tensors ``weights`` (n_classes, n_dimensions) and ``bias`` (n_classes,), float32, and one metadata entry,
``embedclf``, of JSON: the format number, the fields of `ModelCard`, ``classes`` and, last, ``blake2b``, a digest of the
rest of the entry and of the tensors, which reveals a damaged file. Files written by version 0.1.0 have no digest.
Format 1 is for classifiers that use only vectors. Format 2 adds words, as hashes: ``ngrams`` (n_ngrams,), uint64 in
ascending order, ``idf`` (n_ngrams,) and ``ngram_weights`` (n_ngrams, n_classes), float16.
The fields ``text_column`` and ``label_column`` are written only if the columns have other names than these defaults;
``text_columns``, a list, is written in place of the first if several columns were joined. ``training`` is a
`TrainingRecord`, as far as it is not as usual, ``conformal`` a `Conformal`, and ``reference`` an `AnswerReference`.
Earlier versions ignore these fields.
Format 3 is for embedders that are told a task or a prompt, and format 4 for classifiers that answer otherwise than with
the most likely label, or with none: ``multilabel`` has the `LabelRules` of texts with several labels, ``scope`` the
`ScopeRule` of a classifier that has learned from out-of-scope examples, ``hierarchy`` the separator of labels in a
tree, ``class_weights`` one number per class, ``costs`` rows of true label, answer and cost as in `Costs`, and
``targets`` those of labels, as in `LabelTarget`.
Loading runs no code, and reads no other file. The same classifier, trained on files of the same names, is always
written as the same bytes: the file has no date, key, text or absolute path.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from embedclf.classifier.answer_figures import (
    AnswerFigures,
    CostFigures,
    Figure,
    LabelTarget,
    RecallChange,
    TargetReached,
)
from embedclf.classifier.costs import Costs, check_cost, check_labels
from embedclf.classifier.decisions import LabelRules
from embedclf.classifier.hierarchy import hierarchy_of
from embedclf.classifier.label_sets import Conformal
from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.classifier.model_card import HEADS, OF_SEVERAL_LABELS, HeldOut, ModelCard
from embedclf.classifier.reference import AnswerReference
from embedclf.classifier.scope import ScopeRule
from embedclf.classifier.training_record import TrainingRecord
from embedclf.data.atomic_file import AtomicFile
from embedclf.data.columns import DEFAULT, TextColumn, as_text_column, names_in
from embedclf.data.formats import is_data_file
from embedclf.data.plain_file import meant, open_plain
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import ModelFileError, OutputError
from embedclf.features.vocabulary import Vocabulary
from embedclf.stats.intervals import Interval

FORMAT = 4
# Which rules of answering stand in no file together.
_NOT_WITH = {
    "multilabel": ("costs",),
    "hierarchy": ("costs",),
    "costs": ("class_weights",),
}
Tensors = dict[str, np.ndarray[Any, Any]]
_ENTRY = "embedclf"
_MOST = 1e300
# The end of an interval may lie beyond the range of its figure by so much.
_ROUNDING = 1e-6
# Keeps the probability of being in scope from overflowing, whatever the scores are.
_MOST_OF_SCOPE = 1e30
_OTHER_FORMATS = re.compile(
    r"\.(joblib|pkl|pickle|skops|pt|pth|bin|ckpt|onnx|h5|hdf5|npy|npz|zip|csv|tsv|jsonl?|parquet|html)", re.IGNORECASE
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# Inside the entry, since safetensors writes several entries in no fixed order.
_DIGEST = re.compile(r', "blake2b": "([0-9a-f]{32})"}\Z')


def write_model(path: str | os.PathLike[str], model: LinearModel, card: ModelCard) -> None:
    """Write a model file atomically.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    check_model_name(path)
    data = model_bytes(model, card)
    with AtomicFile(path) as file:
        file.write(data)


def check_model_name(path: str | os.PathLike[str]) -> None:
    """Check that a model file is not given the name of a file of another format.

    Raises
    ------
    OutputError
        If it is.
    """
    if _OTHER_FORMATS.fullmatch(Path(path).suffix):
        name, better = os.fspath(path), os.fspath(Path(path).with_suffix(".safetensors"))
        raise OutputError(f"cannot write {name}: a model is a safetensors file, so call it {better}", path=name)


def model_bytes(model: LinearModel, card: ModelCard) -> bytes:
    """Return the content of a model file."""
    from safetensors.numpy import save

    entry, tensors = model_parts(model, card)
    return bytes(save(tensors, metadata={_ENTRY: entry}))


def model_parts(model: LinearModel, card: ModelCard) -> tuple[str, Tensors]:
    """Return the metadata entry and the tensors of a model file."""
    metadata = {"format": format_of(model, card), "classes": model.classes, **card.to_dict()}
    for column, usual in zip(("text_column", "label_column"), DEFAULT, strict=True):
        names = names_in(metadata[column])
        if len(names) > 1:
            metadata["text_columns"] = names
        if metadata[column] == usual or len(names) > 1:
            del metadata[column]
        if any(map(_SURROGATE.search, names)):  # such a file could not be read
            metadata.pop("text_columns" if len(names) > 1 else column)
    if card.training is not None:
        metadata["training"] = card.training.to_dict()
    if card.conformal is not None:
        metadata["conformal"] = card.conformal.to_dict()
    if card.reference is not None:
        metadata["reference"] = card.reference.to_dict()
    tensors: Tensors = {"weights": model.weights, "bias": model.bias}
    if model.words is None:
        del metadata["word_scale"]
    else:
        tensors |= {
            "ngrams": model.words.vocabulary.hashes,
            "idf": model.words.vocabulary.idf,
            "ngram_weights": model.words.weights,
        }
    entry = json.dumps(metadata, ensure_ascii=False, sort_keys=True, allow_nan=False)
    # safetensors ignores strides and writes the memory of an array as it is.
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return f'{entry[:-1]}, "blake2b": "{_digest(entry, tensors)}"}}', tensors


def format_of(model: LinearModel, card: ModelCard) -> int:
    """Return the number of the format of the model file: the first that can hold it."""
    # Format 1 has no words.
    return max(card.least_format, 1 if model.words is None else 2)


def _digest(entry: str, tensors: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """Return a digest of everything that predictions depend on."""
    digest = blake2b(entry.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def read_model(path: str | os.PathLike[str]) -> tuple[LinearModel, ModelCard]:
    """Read a model file.

    Raises
    ------
    ModelFileError
        If the file does not exist, cannot be read, is damaged or truncated, was not written by embedclf, has a newer
        format, or has invalid values.
    """
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            raise IsADirectoryError
        # Opened here first, since safetensors reports less than the system, and waits forever on a named pipe.
        os.close(open_plain(Path(os.path.realpath(path))))
        with safe_open(name, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        advice = meant(Path(path), ".safetensors") or "; train one with embedclf train"
        raise ModelFileError(f"model not found: {name}{advice}", path=name) from None
    except IsADirectoryError:
        raise ModelFileError(f"{name} is a folder, not a model file", path=name) from None
    except OSError as error:
        raise ModelFileError(f"{name} cannot be read ({error.strerror or error})", path=name) from error
    except (SafetensorError, TypeError, ValueError) as error:
        if is_data_file(name):
            raise ModelFileError(f"{name} is a data file, not a model: give a .safetensors file", path=name) from error
        raise ModelFileError(
            f"{name} is not a model file, or is damaged or truncated ({error}); train or copy it again", path=name
        ) from error
    if _ENTRY not in metadata:
        raise ModelFileError(f"{name} is a safetensors file that embedclf did not write", path=name)
    return parse_parts(metadata[_ENTRY], tensors, name)


def parse_parts(entry: str, tensors: Tensors, name: str) -> tuple[LinearModel, ModelCard]:
    """Check the metadata entry and the tensors of a model file, and return what they hold.

    Parameters
    ----------
    entry, tensors
        From `model_parts`.
    name : str
        Where they are from, for errors.

    Raises
    ------
    ModelFileError
        See `read_model`.
    """
    if (digest := _DIGEST.search(entry)) is not None:
        entry = entry[: digest.start()] + "}"
        if _digest(entry, tensors) != digest[1]:
            raise ModelFileError(f"{name} is damaged: its checksum does not match; train or copy it again", path=name)
    try:
        return _parse(json.loads(entry), tensors, checked=digest is not None)
    except _NewerFormatError as error:
        raise ModelFileError(f"{name} {error}", path=name) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ModelFileError(f"{name} is not a usable model file: {reason}; train it again", path=name) from error


_FIELDS = {"format", "classes", "text_columns", *(field.name for field in fields(ModelCard))}
_TENSORS = {"weights": np.float32, "bias": np.float32}
_OF_WORDS = {"ngrams": np.uint64, "idf": np.float16, "ngram_weights": np.float16}


class _NewerFormatError(Exception):
    pass


def _parse(
    metadata: dict[str, Any], tensors: dict[str, np.ndarray[Any, Any]], *, checked: bool
) -> tuple[LinearModel, ModelCard]:
    number = _typed(metadata["format"], int, "format")
    if number < 1:
        raise ValueError(f"invalid 'format' {number}")
    if number > FORMAT:
        raise _NewerFormatError(
            f"is in format {number}, but this version of embedclf reads formats up to {FORMAT}; update with: "
            "pip install --upgrade embedclf"
        )
    # A later version may have added fields, but all later versions also write a digest.
    if not checked and (unknown := metadata.keys() - _FIELDS):
        raise ValueError(f"unknown field {min(unknown)!r:.40} in a file without a checksum")
    has_words = number == 2 or (number > 2 and not tensors.keys().isdisjoint(_OF_WORDS))
    kinds = _TENSORS | (_OF_WORDS if has_words else {})
    if {name: tensor.dtype for name, tensor in tensors.items()} != kinds:
        named = " and ".join(f"the {np.dtype(kind).name} {name!r}" for name, kind in kinds.items())
        raise ValueError(f"its tensors must be {named}")
    classes = tuple(_typed(name, str, "classes") for name in _typed(metadata["classes"], list, "classes"))
    words, word_scale = None, 0.0
    if has_words:
        words = WordWeights(Vocabulary(tensors["ngrams"], tensors["idf"]), tensors["ngram_weights"])
        word_scale = _number(metadata, "word_scale")
    multilabel = None if (rules := metadata.get("multilabel")) is None else _label_rules(rules, len(classes))
    scope = None if (rule := metadata.get("scope")) is None else _scope_rule(rule)
    model = LinearModel(tensors["weights"], tensors["bias"], classes, words, multilabel is not None, scope)
    if scope is not None and (multilabel is not None or not metadata.get("out_of_scope_label")):
        raise ValueError("its 'scope' needs an 'out_of_scope_label', and texts with one label")
    names = ("class_weights", "costs", "targets", "reference")
    weights, costs, targets, reference = map(metadata.get, names)
    _check_together(metadata)
    if (surrogate := _SURROGATE.search(json.dumps(metadata, ensure_ascii=False))) is not None:
        raise ValueError(f"its metadata contains the lone surrogate \\u{ord(surrogate[0]):04x}")
    spec = _typed(metadata["embedder"], dict, "embedder")
    outside = _out_of_scope_label(metadata, classes)
    embedder = EmbedderSpec(
        provider=_typed(spec["provider"], str, "provider"),
        model=_typed(spec["model"], str, "model"),
        dimensions=_count(spec, "dimensions", least=0),
        endpoint=_typed(spec["endpoint"], str | None, "endpoint"),
        shortened=spec.get("shortened") is True,
        # Older versions do not write these fields.
        task=_typed(spec.get("task"), str | None, "task") or None,
        prompt=_typed(spec.get("prompt"), str | None, "prompt") or None,
    )
    if model.uses_vectors and embedder.dimensions != model.weights.shape[1]:
        raise ValueError(
            f"its weights have {model.weights.shape[1]} dimensions, but its embedder {embedder} has "
            f"{embedder.dimensions}"
        )
    if (head := metadata["head"]) not in HEADS:
        raise ValueError(f"invalid 'head' {head!r:.40}")
    held_out = _typed(metadata["held_out"], dict | None, "held_out")
    card = ModelCard(
        embedder=embedder,
        head=head,
        regularization=_optional(metadata, "regularization"),
        temperature=_number(metadata, "temperature"),
        threshold=_optional(metadata, "threshold", most=1.0),
        out_of_scope_label=outside,
        n_examples=_count(metadata),
        held_out=None if held_out is None else _held_out(held_out, classes),
        version=_typed(metadata["version"], str, "version"),
        word_scale=word_scale,
        # Older versions do not write these fields, and ignore them when reading.
        text_column=_text_column(metadata),
        label_column=_typed(metadata.get("label_column", DEFAULT.label), str, "label_column"),
        training=None if (record := metadata.get("training")) is None else _training(record, classes),
        multilabel=multilabel,
        scope=scope,
        conformal=None if (sets := metadata.get("conformal")) is None else Conformal.from_dict(sets),
        hierarchy=_hierarchy(metadata, classes),
        class_weights=None if weights is None else _class_weights(weights, len(classes)),
        costs=None if costs is None else _costs(costs, classes, outside),
        targets=None if targets is None else _targets(targets, classes),
        reference=None if reference is None else AnswerReference.from_dict(reference, len(classes)),
    )
    return model, card


def _check_together(metadata: dict[str, Any]) -> None:
    """Check that rules of answering stand together that can."""
    for name, others in _NOT_WITH.items():
        if metadata.get(name) is not None and (both := [one for one in others if metadata.get(one) is not None]):
            raise ValueError(f"its {both[0]!r} cannot be used with its {name!r}")


def _training(record: Any, classes: tuple[str, ...]) -> TrainingRecord:
    training = TrainingRecord.from_dict(record)
    of_labels = {
        "class_weight": training.class_weight,
        "target_precision": training.target_precision,
        "target_recall": training.target_recall,
    }
    for name, values in of_labels.items():
        for label in values if isinstance(values, Mapping) else ():
            _class_name(label, classes, name)
    return training


def _class_name(label: Any, classes: tuple[str, ...], name: str) -> str:
    """Return a label that is one of the classes."""
    if not isinstance(label, str) or label not in classes:
        raise ValueError(f"the label {label!r:.40} of its {name!r} is not one of its classes")
    return label


def _held_out(figures: dict[str, Any], classes: tuple[str, ...]) -> HeldOut:
    accuracy, macro_f1, ece = (_number(figures, name, least=0.0, most=1.0) for name in ("accuracy", "macro_f1", "ece"))
    # Older versions do not write these fields, and ignore them when reading.
    later: dict[str, float | None] = {
        name: _optional(figures, name, most=1.0)
        for name in (
            "coverage",
            "answered_accuracy",
            "out_of_scope_recall",
            "baseline_accuracy",
            "words_accuracy",
        )
        if name in figures
    }
    later |= {
        name: _optional(figures, name, most=1.0 if name == "micro_f1" else len(classes))
        for name in OF_SEVERAL_LABELS
        if name in figures
    }
    if (levels := figures.get("level_accuracies")) is not None:
        shares = [{"level_accuracies": one} for one in _typed(levels, list, "level_accuracies")]
        levels = tuple(_number(one, "level_accuracies", least=0.0, most=1.0) for one in shares)
    answers = None if (given := figures.get("answers")) is None else _answer_figures(given, classes)
    return HeldOut(accuracy, macro_f1, ece, _count(figures), level_accuracies=levels, **later, answers=answers)


def _label_rules(rules: Any, n_classes: int) -> LabelRules:
    thresholds = _thresholds(_typed(rules, dict, "multilabel")["thresholds"], n_classes)
    usual = rules.get("usual")
    return LabelRules(
        thresholds,
        rules["at_least_one"] is True,
        _separator(rules),
        rules.get("in_columns") is True,
        None if usual is None else _thresholds(usual, n_classes),
    )


def _thresholds(thresholds: Any, n_classes: int) -> tuple[float, ...]:
    if len(_typed(thresholds, list, "thresholds")) != n_classes:
        raise ValueError(f"{len(thresholds)} thresholds do not match {n_classes} classes")
    return tuple(_number({"thresholds": one}, "thresholds", least=0.0, most=1.0) for one in thresholds)


def _separator(rules: dict[str, Any]) -> str:
    separator: str = _typed(rules["separator"], str, "separator")
    if not separator.strip():
        raise ValueError(f"invalid 'separator' {separator!r:.40}")
    return separator


def _scope_rule(rule: Any) -> ScopeRule:
    numbers = _typed(rule, dict, "scope")
    intercept, log_odds, energy = (
        _number(numbers, name, least=-_MOST_OF_SCOPE, most=_MOST_OF_SCOPE)
        for name in ("intercept", "log_odds", "energy")
    )
    return ScopeRule(intercept, log_odds, energy, _number(numbers, "temperature", most=_MOST_OF_SCOPE))


def _hierarchy(metadata: dict[str, Any], classes: tuple[str, ...]) -> str | None:
    separator: str | None = _typed(metadata.get("hierarchy"), str | None, "hierarchy")
    if separator is not None:
        hierarchy_of(classes, separator)  # checks it
    return separator


def _class_weights(weights: Any, n_classes: int) -> tuple[float, ...]:
    if len(_typed(weights, list, "class_weights")) != n_classes:
        raise ValueError(f"{len(weights)} class weights do not match {n_classes} classes")
    return tuple(_number({"class_weights": one}, "class_weights") for one in weights)


def _costs(rows: Any, classes: tuple[str, ...], outside: str | None) -> Costs:
    found = []
    for label, answer, cost in _typed(rows, list, "costs"):
        number = check_cost(_typed(cost, int | float, "costs"), "a cost of its 'costs'")
        found.append((_typed(label, str, "costs"), _typed(answer, str | None, "costs"), number))
    if not found:
        raise ValueError("its 'costs' are empty")
    costs = Costs(tuple(found))
    check_labels(costs, classes, outside)
    return costs


def _targets(targets: Any, classes: tuple[str, ...]) -> tuple[LabelTarget, ...]:
    found = []
    for one in _typed(targets, list, "targets"):
        label, figure = _class_name(one["label"], classes, "targets"), _figure_name(one)
        threshold = _optional(one, "threshold", most=1.0)
        if threshold is None and figure == "precision":
            raise ValueError("a target of 'targets' has no threshold")
        target, reached = (_number(one, name, least=0.0, most=1.0) for name in ("target", "cross_validated"))
        found.append(LabelTarget(label, figure, target, threshold, reached, _count(one, least=0)))
    if len({one[:2] for one in found}) < len(found):
        raise ValueError("a label of its 'targets' has two of the same figure")
    return tuple(found)


def _figure_name(target: dict[str, Any]) -> Figure:
    if (figure := target["figure"]) not in ("precision", "recall"):
        raise ValueError(f"invalid 'figure' {figure!r:.40}")
    return figure  # type: ignore[no-any-return]


def _answer_figures(given: Any, classes: tuple[str, ...]) -> AnswerFigures:
    recalls = [
        RecallChange(
            _class_name(one["label"], classes, "recalls"),
            _number(one, "recall", least=0.0, most=1.0),
            _number(one, "likeliest", least=0.0, most=1.0),
            _count(one),
        )
        for one in given["recalls"]
    ]
    targets = [
        TargetReached(
            _class_name(one["label"], classes, "targets"),
            _figure_name(one),
            _number(one, "target", least=0.0, most=1.0),
            _optional(one, "reached", most=1.0),
            None if one["interval"] is None else _interval(one, "interval", least=0.0),
            _count(one, least=0),
        )
        for one in given["targets"]
    ]
    return AnswerFigures(
        _number(given, "likeliest_accuracy", least=0.0, most=1.0),
        _interval(given, "likeliest_accuracy_interval", least=0.0),
        _number(given, "difference", least=-1.0, most=1.0),
        _interval(given, "difference_interval"),
        tuple(recalls),
        tuple(targets),
        None if given["cost"] is None else _cost_figures(given["cost"]),
    )


def _cost_figures(given: dict[str, Any]) -> CostFigures:
    return CostFigures(
        _number(given, "mean", least=0.0),
        _interval(given, "mean_interval", least=0.0, most=_MOST),
        _number(given, "likeliest", least=0.0),
        _interval(given, "likeliest_interval", least=0.0, most=_MOST),
        _number(given, "difference", least=-_MOST),
        _interval(given, "difference_interval", least=-_MOST, most=_MOST),
        _number(given, "abstained", least=0.0, most=1.0),
        _count(given),
    )


def _interval(values: dict[str, Any], name: str, *, least: float = -1.0, most: float = 1.0) -> Interval:
    ends = ({name: end} for end in _typed(values[name], list, name))
    low, high = (_number(end, name, least=least - _ROUNDING, most=most + _ROUNDING) for end in ends)
    if low > high:
        raise ValueError(f"invalid {name!r} {values[name]!r:.40}")
    return Interval(low, high)


def _out_of_scope_label(metadata: dict[str, Any], classes: tuple[str, ...]) -> str | None:
    # Older versions do not write this field.
    label: str | None = _typed(metadata.get("out_of_scope_label"), str | None, "out_of_scope_label")
    if label in classes:
        raise ValueError(f"its 'out_of_scope_label' {label!r:.40} is one of its classes")
    return label


def _text_column(metadata: dict[str, Any]) -> TextColumn:
    if "text_columns" not in metadata:
        name: str = _typed(metadata.get("text_column", DEFAULT.text), str, "text_column")
        return name
    names = [_typed(name, str, "text_columns") for name in _typed(metadata["text_columns"], list, "text_columns")]
    return as_text_column(names) or DEFAULT.text


def _typed(value: Any, kind: Any, name: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"invalid {name!r} {value!r:.40}")
    return value


def _number(values: dict[str, Any], name: str, *, least: float = 1e-300, most: float = 1e300) -> float:
    number = float(_typed(values[name], int | float, name))
    if not least <= number <= most:
        raise ValueError(f"invalid {name!r} {number:g}")
    return number


def _optional(values: dict[str, Any], name: str, *, most: float = 1e300) -> float | None:
    return None if values[name] is None else _number(values, name, least=0.0, most=most)


def _count(values: dict[str, Any], name: str = "n_examples", *, least: int = 1) -> int:
    number: int = _typed(values[name], int, name)
    if number < least:
        raise ValueError(f"invalid {name!r} {number}")
    return number
