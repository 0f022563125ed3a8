"""A tiny text model as an ONNX file and a tokenizer, for tests: real files, made without the onnx package.

The graph looks up a vector for each token, and adds to each the sum of those that are not padding::

    hidden = Gather(weights, input_ids) * attention_mask; last_hidden_state = hidden + ReduceSum(hidden)
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from corpus import TEXTS

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = sorted({word for text in TEXTS for word in re.findall(r"\w+", text.lower())})

_FLOAT, _INT64 = 1, 7


def make_folder(
    folder: Path,
    *,
    dimensions: int = 8,
    seed: int = 0,
    pooling: str | None = "mean",
    max_tokens: int = 32,
    onnx: str = "model.onnx",
    pooled_output: bool = False,
    inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids"),
    external: str | None = None,
) -> Path:
    """Write a model with its tokenizer, as sentence-transformers does; without a pooling, nothing says how to pool."""
    (folder / onnx).parent.mkdir(parents=True, exist_ok=True)
    weights = weights_of(dimensions, seed)
    (folder / onnx).write_bytes(_model(weights, inputs, external, pooled_output=pooled_output))
    _tokenizer(max_tokens).save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", {"model_max_length": max_tokens, "pad_token": "[PAD]"})
    _write(folder / "config.json", {"pad_token_id": 0, "hidden_size": dimensions})
    _write(folder / "special_tokens_map.json", {"pad_token": "[PAD]", "unk_token": "[UNK]"})
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        _write(folder / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}_tokens": True})
    return folder


def weights_of(dimensions: int, seed: int = 0) -> Any:
    """Return the vectors of all tokens."""
    return np.random.default_rng(seed).standard_normal((len(SPECIAL) + len(WORDS), dimensions)).astype(np.float32)


def hidden_of(text: str, weights: Any) -> Any:
    """Return what the model computes for each token of a text, including the special ones."""
    ids = [*(4 + WORDS.index(word) if word in WORDS else 1 for word in re.findall(r"\w+|[^\w\s]+", text.lower()))]
    found = weights[[2, *ids, 3]]
    return found + found.sum(axis=0)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def _tokenizer(max_tokens: int) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return tokenizer


# The wire format of protocol buffers, and the numbers of ONNX's fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto


def _varint(number: int) -> bytes:
    low = bytes([number & 127 | (128 if number > 127 else 0)])
    return low if number < 128 else low + _varint(number >> 7)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _value(name: str, element: int, *axes: str | int) -> bytes:
    shape = b"".join(_field(1, _field(2 if isinstance(axis, str) else 1, axis)) for axis in axes)
    return _field(1, name) + _field(2, _field(1, _field(1, element) + _field(2, shape)))


def _node(operator: str, inputs: list[str], output: str, attribute: bytes = b"") -> bytes:
    named = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operator)
    return named + (_field(5, attribute) if attribute else b"")


def _tensor(name: str, array: Any, external: str | None = None) -> bytes:
    element = _FLOAT if array.dtype == np.float32 else _INT64
    described = b"".join(_field(1, size) for size in array.shape) + _field(2, element) + _field(8, name)
    if external is None:
        return described + _field(9, array.tobytes())
    return described + _field(13, _field(1, "location") + _field(2, external)) + _field(14, 1)


def _model(weights: Any, inputs: tuple[str, ...], external: str | None, *, pooled_output: bool) -> bytes:
    to_float = _field(1, "to") + _field(3, _FLOAT) + _field(20, 2)
    nodes = [
        _node("Gather", ["weights", "input_ids"], "looked_up"),
        _node("Cast", ["attention_mask"], "mask", to_float),
        _node("Unsqueeze", ["mask", "last"], "masks"),
        _node("Mul", ["looked_up", "masks"], "hidden"),
        _node("ReduceSum", ["hidden", "middle"], "sum"),
        _node("Add", ["hidden", "sum"], "last_hidden_state"),
    ]
    if "attention_mask" not in inputs:
        nodes[1:4] = [_node("Identity", ["looked_up"], "hidden")]
    size = weights.shape[1]
    outputs = [_value("last_hidden_state", _FLOAT, "texts", "tokens", size)]
    if pooled_output:
        nodes.append(_node("Squeeze", ["sum", "middle"], "sentence_embedding"))
        outputs.append(_value("sentence_embedding", _FLOAT, "texts", size))
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "tiny")
    graph += _field(5, _tensor("weights", weights, external))
    graph += _field(5, _tensor("last", np.array([2]))) + _field(5, _tensor("middle", np.array([1])))
    graph += b"".join(_field(11, _value(name, _INT64, "texts", "tokens")) for name in inputs)
    graph += b"".join(_field(12, output) for output in outputs)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))
