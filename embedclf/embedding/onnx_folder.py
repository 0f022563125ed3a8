"""A model as an ONNX file with its tokenizer, in a folder as sentence-transformers and Optimum write it.

Everything read is data: JSON, a tokenizer, and a graph of onnxruntime's own operators. No code of the folder runs.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedclf.arrays import Vectors
from embedclf.errors import EmbedderError

logger = logging.getLogger(__name__)

TokenIds = npt.NDArray[np.int64]
"""The tokens of one text, including the special ones."""

_ONNX_FILES = ("model.onnx", "onnx/model.onnx")
# An output that is one vector per text already, as Optimum names it, and one that is a vector per token.
_POOLED, _OF_TOKENS = "sentence_embedding", ("last_hidden_state", "token_embeddings")
# Where sentence-transformers says how the vectors of tokens become one, if modules.json names no other place.
_POOLING = "1_Pooling"
_KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
# If no file says how long a text may be: the length of BERT and of most models after it.
_USUAL_TOKENS = 512

_PLAIN_NAME = re.compile(r"|\w[\w.-]*")

Pool = Callable[[Vectors, npt.NDArray[np.bool_]], Vectors]


def _weighted(tokens: Vectors, weights: Vectors) -> Vectors:
    sums: Vectors = np.einsum("ntd,nt->nd", tokens, weights) / weights.sum(axis=1, keepdims=True)
    return sums


def _mean(tokens: Vectors, real: npt.NDArray[np.bool_]) -> Vectors:
    return _weighted(tokens, real.astype(np.float32))


def _mean_of_root(tokens: Vectors, real: npt.NDArray[np.bool_]) -> Vectors:
    scale: Vectors = np.sqrt(real.sum(axis=1, keepdims=True, dtype=np.float32))
    return _mean(tokens, real) * scale


def _weighted_mean(tokens: Vectors, real: npt.NDArray[np.bool_]) -> Vectors:
    return _weighted(tokens, np.arange(1, real.shape[1] + 1, dtype=np.float32) * real.astype(np.float32))


def _last(tokens: Vectors, real: npt.NDArray[np.bool_]) -> Vectors:
    last: Vectors = tokens[np.arange(len(tokens)), real.sum(axis=1) - 1]
    return last


# By the names that sentence-transformers gives them, with and without the affixes of its older files; in its order.
_POOLS: dict[str, Pool] = {
    "cls": lambda tokens, real: tokens[:, 0],
    "max": lambda tokens, real: np.where(real[:, :, None], tokens, -np.inf).max(axis=1),
    "mean": _mean,
    "mean_sqrt_len": _mean_of_root,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}


def find_onnx(folder: Path) -> Path:
    """Return the ONNX file of a folder.

    Raises
    ------
    EmbedderError
        If there is no such folder, or not one ONNX file to choose.
    """
    if not folder.is_dir():
        what = "is a file: pass its folder" if folder.is_file() else "is not a folder"
        raise EmbedderError(f"fastembed:{folder} {what}")
    for name in _ONNX_FILES:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in (*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")) if path.is_file())
    if len(found) == 1:
        return found[0]
    if not found:
        raise EmbedderError(
            f"fastembed:{folder} has no ONNX model (model.onnx or onnx/model.onnx); make one of a "
            "sentence-transformers model with: optimum-cli export onnx --model NAME FOLDER"
        )
    names = ", ".join(path.relative_to(folder).as_posix() for path in found)
    raise EmbedderError(f"fastembed:{folder} has several ONNX models ({names}): rename the one to use to model.onnx")


def digest_of(folder: Path) -> str:
    """Return a digest of what a folder's vectors come from, wherever the folder is: 16 hexadecimal digits.

    An ONNX file may keep weights in any other file of its folder, and onnxruntime reads none outside it. So all files
    count, except hidden ones, Markdown, and other ONNX models.

    Raises
    ------
    EmbedderError
        If the folder has no ONNX model, or a file cannot be read.
    """
    onnx = find_onnx(folder)
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        is_other = path.suffix == ".md" or (path.suffix == ".onnx" and path != onnx)
        if is_other or any(part.startswith(".") for part in inside.parts) or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise EmbedderError(f"{path} cannot be read: {error.strerror or error}") from error
        total.update(json.dumps(inside.as_posix()).encode() + content)
    return total.hexdigest()[:16]


class OnnxFolder:
    """The model of a folder, loaded.

    Parameters
    ----------
    folder : Path
    n_threads : int
        Of one call.

    Attributes
    ----------
    tokenizer : tokenizers.Tokenizer
        It neither cuts nor pads.
    max_tokens : int
        The most that the model takes, including special ones.

    Raises
    ------
    EmbedderError
        If a file is missing, damaged, or asks for something that is not known here.
    """

    def __init__(self, folder: Path, n_threads: int) -> None:
        onnx = find_onnx(folder)
        self._name = f"fastembed:{folder}"
        self.tokenizer, self.max_tokens, self._pad_id = _tokenizer_of(folder)
        self._lowercases = _read(folder / "sentence_bert_config.json").get("do_lower_case") is True
        self._session = _session(onnx, n_threads)
        self._inputs = {one.name: one.type for one in self._session.get_inputs()}
        if "input_ids" not in self._inputs or not self._inputs.keys() <= _KNOWN_INPUTS:
            raise EmbedderError(f"{onnx} is not a model of texts alone: its inputs are {', '.join(self._inputs)}")
        self._output, self._pools = self._pooling(folder, onnx)

    def token_ids(self, texts: list[str]) -> list[TokenIds]:
        """Return the tokens of texts, which are not cut."""
        if self._lowercases:
            texts = [text.lower() for text in texts]
        return [np.array(one.ids, dtype=np.int64) for one in self.tokenizer.encode_batch_fast(texts)]

    @property
    def can_pad(self) -> bool:
        """Whether texts of different length can be embedded in one call."""
        return "attention_mask" in self._inputs

    def embed(self, texts: list[str], token_ids: list[TokenIds]) -> Vectors:
        """Return the vectors of texts, of any length."""
        real = np.zeros((len(texts), max(map(len, token_ids))), dtype=bool)
        ids = np.full(real.shape, self._pad_id, dtype=np.int64)
        for row, one in enumerate(token_ids):
            real[row, : len(one)], ids[row, : len(one)] = True, one
        given = {"input_ids": ids, "attention_mask": real, "token_type_ids": np.zeros_like(ids)}
        feeds = {
            name: given[name].astype(np.int32 if kind == "tensor(int32)" else np.int64)
            for name, kind in self._inputs.items()
        }
        try:
            (answer,) = self._session.run([self._output], feeds)
        except Exception as error:  # onnxruntime's own, which share no base class
            raise EmbedderError(f"{self._name} failed: {_first_line(error)}") from error
        found = np.asarray(answer, dtype=np.float32)
        if self._pools is None or found.ndim == 2:
            return found
        return np.concatenate([pool(found, real) for pool in self._pools], axis=1)

    def _pooling(self, folder: Path, onnx: Path) -> tuple[str, list[Pool] | None]:
        """Return the output to read, and how the vectors of tokens become one; None if they are one already."""
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        if _POOLED in outputs:
            return _POOLED, None
        output = next((name for name in _OF_TOKENS if name in outputs), next(iter(outputs)))
        n_axes = len(outputs[output])
        modules = _modules(folder)
        if extra := sorted({kind for kind, _ in modules} - {"Transformer", "Pooling", "Normalize"}):
            raise EmbedderError(
                f"modules.json of {self._name} has {', '.join(extra)}, which {onnx.name} does not contain: "
                f"export it with an output {_POOLED}"
            )
        if n_axes == 2:
            return output, None
        if n_axes != 3:
            raise EmbedderError(
                f"the output {output} of {onnx} is not one vector per text or token: it has {n_axes} axes"
            )
        of_pooling = next((path for kind, path in modules if kind == "Pooling"), _POOLING)
        pools = _pools(folder / of_pooling / "config.json")
        if not pools:
            logger.warning(
                "%s does not say how the vectors of tokens become one of the text (%s/config.json, as "
                "sentence-transformers writes it): their mean is used",
                self._name,
                _POOLING,
            )
        return output, pools or [_mean]


def _session(onnx: Path, n_threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3  # errors only; they are raised as well
    try:
        return onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own, which share no base class
        raise EmbedderError(f"{onnx} cannot be loaded: {_first_line(error)}") from error


def _tokenizer_of(folder: Path) -> tuple[Any, int, int]:
    """Return the tokenizer, the maximum number of tokens, and the token to pad with."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise EmbedderError(f"fastembed:{folder} has no tokenizer.json: save the model with a fast tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise EmbedderError(f"{path} cannot be loaded: {_first_line(error)}") from error
    config, saved = _read(folder / "config.json"), _read(folder / "tokenizer_config.json")
    given = [
        _read(folder / "sentence_bert_config.json").get("max_seq_length"),
        saved.get("model_max_length"),
        saved.get("max_length"),
        (tokenizer.truncation or {}).get("max_length"),
    ]
    # Unknown lengths are written as 1e30. The positions of RoBERTa begin at 2, and config.json counts those two.
    lengths = [value for value in given if isinstance(value, int) and 0 < value < 10**9]
    positions = config.get("max_position_embeddings")
    if not lengths and isinstance(positions, int):
        lengths = [positions - 2]
    max_tokens = min(lengths, default=_USUAL_TOKENS)
    if max_tokens <= (special := tokenizer.num_special_tokens_to_add(is_pair=False)):
        raise EmbedderError(
            f"fastembed:{folder} takes {max_tokens} tokens, {special} of them special, which leaves none for a text"
        )
    padding = tokenizer.padding or {}
    pad_id = padding.get("pad_id", config.get("pad_token_id"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, max_tokens, pad_id if isinstance(pad_id, int) else 0


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return the kind and the path of each module of a sentence-transformers model."""
    listed = _read_json(folder / "modules.json", [])
    try:
        modules = [(one["type"].rsplit(".", 1)[-1], one["path"]) for one in listed]
        if all(_PLAIN_NAME.fullmatch(path) for _, path in modules):  # it must not lead out of the folder
            return modules
    except (TypeError, KeyError, AttributeError):
        pass
    raise EmbedderError(f"{folder / 'modules.json'} is not as sentence-transformers writes it")


def _pools(path: Path) -> list[Pool]:
    config = _read(path)
    named = config.get("pooling_mode")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    for key, value in config.items():
        if key.startswith("pooling_mode_") and value is True:
            names.append(key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token"))
    names = list(dict.fromkeys(names))
    if unknown := [str(name) for name in names if name not in _POOLS]:
        raise EmbedderError(f"{path} asks for pooling by {', '.join(unknown)}; embedclf knows {', '.join(_POOLS)}")
    return [pool for name, pool in _POOLS.items() if name in names]


def _read(path: Path) -> dict[str, Any]:
    found = _read_json(path, {})
    if not isinstance(found, dict):
        raise EmbedderError(f"{path} is not a JSON object")
    return found


def _read_json(path: Path, otherwise: Any) -> Any:
    if not path.is_file():
        return otherwise
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EmbedderError(f"{path} cannot be read: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
