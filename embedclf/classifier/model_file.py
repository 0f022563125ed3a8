"""The model file: one ``.safetensors`` file with the matrix and what is known about it.

It holds the tensors ``weights`` (n_classes, n_dimensions) and ``bias`` (n_classes,), float32, and one metadata entry
``embedclf`` of JSON: the format number, the fields of `ModelCard`, ``classes``, and last ``blake2b``, a digest of the
rest of the entry and of the tensors, by which a damaged file is recognised. Files of version 0.1.0 have no digest.
Format 1 is that of a classifier that uses vectors alone. Format 2 adds the words, as hashes: ``ngrams`` (n_ngrams,),
uint64 in ascending order, ``idf`` (n_ngrams,) and ``ngram_weights`` (n_ngrams, n_classes), float16.
Loading runs no code. The same classifier gives the same bytes: there is no date in the file, and no key, text or path
either.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np

from embedclf.classifier.linear import LinearModel, WordWeights
from embedclf.data.atomic_file import AtomicFile
from embedclf.data.plain_file import open_plain
from embedclf.embedding.base import EmbedderSpec
from embedclf.errors import ModelFileError
from embedclf.features.vocabulary import Vocabulary

FORMAT = 2
Head = Literal["logistic", "centroid"]
Features = Literal["embedding", "words", "both"]
HEADS: tuple[Head, ...] = ("logistic", "centroid")
_ENTRY = "embedclf"
# Inside the entry, since safetensors writes several in no particular order.
_DIGEST = re.compile(r', "blake2b": "([0-9a-f]{32})"}\Z')


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Figures on examples that the classifier was not fitted on.

    Attributes
    ----------
    accuracy, macro_f1, ece : float
        In [0, 1], of answers to all of them.
    n_examples : int
    coverage : float or None
        Share that is answered with the threshold; None if there is none.
    answered_accuracy : float or None
        Accuracy among those answered; None if there is no threshold, or none is answered.
    out_of_scope_recall : float or None
        Share of the examples out of scope, held out as well, on which it abstains; None if there are none.
    """

    accuracy: float
    macro_f1: float
    ece: float
    n_examples: int
    coverage: float | None = None
    answered_accuracy: float | None = None
    out_of_scope_recall: float | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known about a trained classifier.

    Attributes
    ----------
    embedder : EmbedderSpec
        What made the vectors that it was trained on.
    head : {"logistic", "centroid"}
    regularization : float or None
        scikit-learn's C; None for a head that has none.
    temperature : float
        What the scores were divided by; it is folded into the weights.
    threshold : float or None
        The confidence below which the classifier abstains; None if it always answers.
    out_of_scope_label : str or None
        The label of the examples of what it is to reject; no class.
    n_examples : int
        How many examples it was trained on.
    held_out : HeldOut or None
        Its measured quality; None if nothing was held out.
    version : str
        The version of embedclf that wrote it.
    word_scale : float
        How long the vector of a text's words is beside the embedder's, of length 1; 0 if words are not used. Folded
        into the weights.
    """

    embedder: EmbedderSpec
    head: Head
    regularization: float | None
    temperature: float
    threshold: float | None
    out_of_scope_label: str | None
    n_examples: int
    held_out: HeldOut | None
    version: str
    word_scale: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain types, for JSON."""
        return asdict(self)


def write_model(path: str | os.PathLike[str], model: LinearModel, card: ModelCard) -> None:
    """Write a model file, beside its place and then moved there.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    data = model_bytes(model, card)
    with AtomicFile(path) as file:
        file.write(data)


def model_bytes(model: LinearModel, card: ModelCard) -> bytes:
    """Give what a model file holds."""
    from safetensors.numpy import save

    metadata = {"format": 2, "classes": model.classes, **card.to_dict()}
    tensors: dict[str, np.ndarray[Any, Any]] = {"weights": model.weights, "bias": model.bias}
    if model.words is None:  # older versions can read it
        metadata["format"] = 1
        del metadata["word_scale"]
    else:
        tensors |= {
            "ngrams": model.words.vocabulary.hashes,
            "idf": model.words.vocabulary.idf,
            "ngram_weights": model.words.weights,
        }
    entry = json.dumps(metadata, ensure_ascii=False, sort_keys=True, allow_nan=False)
    # safetensors writes an array's memory as it lies, whatever its strides say.
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    entry = f'{entry[:-1]}, "blake2b": "{_digest(entry, tensors)}"}}'
    return bytes(save(tensors, metadata={_ENTRY: entry}))


def _digest(entry: str, tensors: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """Return what changes with every bit that the classifier's answers depend on."""
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
        If it is not there, cut short, damaged, not one of ours, of a newer format, or holds what cannot be.
    """
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            raise IsADirectoryError
        # For the system's own words, of which safetensors says less, and because a named pipe would block it forever.
        os.close(open_plain(Path(os.path.realpath(path))))
        with safe_open(name, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {name}; embedclf train makes one", path=name) from None
    except IsADirectoryError:
        raise ModelFileError(f"{name} is a folder, not a model file", path=name) from None
    except OSError as error:
        raise ModelFileError(f"{name} cannot be read ({error.strerror or error})", path=name) from error
    except (SafetensorError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{name} is not a model file, or is damaged or cut short ({error}); train or copy it again", path=name
        ) from error
    if _ENTRY not in metadata:
        raise ModelFileError(f"{name} is a safetensors file, but was not written by embedclf", path=name)
    entry = metadata[_ENTRY]
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


_FIELDS = {"format", "classes", *(field.name for field in fields(ModelCard))}
_TENSORS = {"weights": np.float32, "bias": np.float32}
_OF_WORDS = {"ngrams": np.uint64, "idf": np.float16, "ngram_weights": np.float16}


class _NewerFormatError(Exception):
    pass


def _parse(
    metadata: dict[str, Any], tensors: dict[str, np.ndarray[Any, Any]], *, checked: bool
) -> tuple[LinearModel, ModelCard]:
    number = _typed(metadata["format"], int, "format")
    if number < 1:
        raise ValueError(f"its 'format' is {number}")
    if number > FORMAT:
        raise _NewerFormatError(
            f"is of format {number}, and this embedclf reads formats up to {FORMAT}; update with: "
            "pip install --upgrade embedclf"
        )
    # A field that is not known may come from a later version of this format, but not in a file without a digest.
    if not checked and (unknown := metadata.keys() - _FIELDS):
        raise ValueError(f"it has a field {min(unknown)!r:.40}, and no checksum")
    kinds = _TENSORS | (_OF_WORDS if number > 1 else {})
    if {name: tensor.dtype for name, tensor in tensors.items()} != kinds:
        named = " and ".join(f"the {np.dtype(kind).name} {name!r}" for name, kind in kinds.items())
        raise ValueError(f"its tensors are not {named}")
    classes = tuple(_typed(name, str, "classes") for name in _typed(metadata["classes"], list, "classes"))
    words, word_scale = None, 0.0
    if number > 1:
        words = WordWeights(Vocabulary(tensors["ngrams"], tensors["idf"]), tensors["ngram_weights"])
        word_scale = _number(metadata, "word_scale")
    model = LinearModel(tensors["weights"], tensors["bias"], classes, words)
    if (half := re.search("[\ud800-\udfff]", json.dumps(metadata, ensure_ascii=False))) is not None:
        raise ValueError(f"its metadata holds half a character (the lone surrogate \\u{ord(half[0]):04x})")
    spec = _typed(metadata["embedder"], dict, "embedder")
    embedder = EmbedderSpec(
        provider=_typed(spec["provider"], str, "provider"),
        model=_typed(spec["model"], str, "model"),
        dimensions=_typed(spec["dimensions"], int, "dimensions"),
        endpoint=_typed(spec["endpoint"], str | None, "endpoint"),
    )
    if model.uses_vectors and embedder.dimensions != model.weights.shape[1]:
        raise ValueError(
            f"its weights have {model.weights.shape[1]} dimensions, and {embedder} is noted with {embedder.dimensions}"
        )
    if (head := metadata["head"]) not in HEADS:
        raise ValueError(f"its 'head' is {head!r:.40}")
    held_out = _typed(metadata["held_out"], dict | None, "held_out")
    card = ModelCard(
        embedder=embedder,
        head=head,
        regularization=_optional(metadata, "regularization"),
        temperature=_number(metadata, "temperature"),
        threshold=_optional(metadata, "threshold", most=1.0),
        out_of_scope_label=_out_of_scope_label(metadata, classes),
        n_examples=_count(metadata),
        held_out=None if held_out is None else _held_out(held_out),
        version=_typed(metadata["version"], str, "version"),
        word_scale=word_scale,
    )
    return model, card


def _held_out(figures: dict[str, Any]) -> HeldOut:
    accuracy, macro_f1, ece = (_number(figures, name, least=0.0, most=1.0) for name in ("accuracy", "macro_f1", "ece"))
    # Files of older versions are without these, and older versions pass over them.
    later = {
        name: _optional(figures, name, most=1.0)
        for name in ("coverage", "answered_accuracy", "out_of_scope_recall")
        if name in figures
    }
    return HeldOut(accuracy, macro_f1, ece, _count(figures), **later)


def _out_of_scope_label(metadata: dict[str, Any], classes: tuple[str, ...]) -> str | None:
    # As with what is held out: older files are without it.
    label: str | None = _typed(metadata.get("out_of_scope_label"), str | None, "out_of_scope_label")
    if label in classes:
        raise ValueError(f"its 'out_of_scope_label' {label!r:.40} is a class")
    return label


def _typed(value: Any, kind: Any, name: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"its {name!r} is {value!r:.40}")
    return value


def _number(values: dict[str, Any], name: str, *, least: float = 1e-300, most: float = 1e300) -> float:
    number = float(_typed(values[name], int | float, name))
    if not least <= number <= most:
        raise ValueError(f"its {name!r} is {number:g}")
    return number


def _optional(values: dict[str, Any], name: str, *, most: float = 1e300) -> float | None:
    return None if values[name] is None else _number(values, name, least=0.0, most=most)


def _count(values: dict[str, Any]) -> int:
    number: int = _typed(values["n_examples"], int, "n_examples")
    if number < 1:
        raise ValueError(f"its 'n_examples' is {number}")
    return number
