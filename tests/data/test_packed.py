"""Files packed with gzip or Zstandard are read as what they unpack to, and written without a trace of when."""

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import embedclf
from corpus import LABELS, QUICKLY, TEXTS
from embedclf.data.reader import CorpusReader
from embedclf.data.reading import Reading
from running import Cli

zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

WITH_CHECKSUM = {zstd.CompressionParameter.checksum_flag: 1}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": lambda content: zstd.compress(content, options=WITH_CHECKSUM),
}
UNPACKED: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.decompress, "zst": zstd.decompress}
each_packing = pytest.mark.parametrize("packing", PACKED)
NAMES = {"gz": "gzip", "zst": "Zstandard"}
TABLE = "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in zip(TEXTS, LABELS, strict=True))


@each_packing
def test_every_kind_of_file(cli: Cli, packing: str):
    """A dataset, a label map, costs, descriptions of labels: with each packed, the model is the same."""
    files = {
        "small.csv": TABLE,
        "map.csv": "old,new\nrefund,money\n",
        "labels.json": json.dumps({"delivery": "a parcel", "password": "a login", "money": "money back"}),
        "costs.tsv": "true label\tpredicted label\tcost\nmoney\tdelivery\t5\n",
    }
    for name, content in files.items():
        Path(name).write_text(content)
        Path(f"{name}.{packing}").write_bytes(PACKED[packing](content.encode()))
    options = ("--label-map", "map.csv", "--labels", "labels.json", "--costs", "costs.tsv", *QUICKLY)
    plain = cli("train", "small.csv", *options)
    packed = cli("train", f"small.csv.{packing}", *(f"{one}.{packing}" if one in files else one for one in options))
    assert packed.exit_code == plain.exit_code == 0, packed.stderr
    assert packed.stderr.replace(f".{packing}", "").splitlines()[-1] == plain.stderr.splitlines()[-1]
    assert [path.name for path in Path("models").glob("*.safetensors")] == ["small.safetensors"]


@each_packing
def test_from_standard_input(process, model: Path, packing: str):
    """A table, and texts line by line."""
    pack = PACKED[packing]
    done = process("predict", "-m", model, "--input", "-", "-o", "out.csv", stdin=pack(b"text\nmy parcel\nmy refund\n"))
    assert (done.returncode, Path("out.csv").read_text().splitlines()[1].split(",")[:2]) == (
        0,
        ["my parcel", "delivery"],
    )
    done = process("predict", "-m", model, "-", stdin=pack(b"my parcel\nmy refund\n"))
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["delivery", "refund"]
    done = process("predict", "-m", model, "-", stdin=pack(b"my parcel\nmy refund\n")[:-9])
    assert done.returncode == 1
    assert f"stdin: the {NAMES[packing]} file is truncated" in done.stderr


@each_packing
def test_several_members(packing: str):
    """Members one after another, an empty one among them, and what follows them, which is none."""
    pack, content = PACKED[packing], TABLE.encode()
    Path(f"x.csv.{packing}").write_bytes(pack(content[:200]) + pack(b"") + pack(content[200:]) + b"\0\0more")
    with CorpusReader(f"x.csv.{packing}") as reader:
        rows = list(reader)
        assert reader.share_read == 1
    assert [(row.text, row.label) for row in rows] == list(zip(TEXTS, LABELS, strict=True))
    assert [row.line for row in rows] == list(range(2, 2 + len(rows)))


@each_packing
def test_names_that_do_not_say_it(packing: str):
    """A packed file is known by its bytes, and a plain one is read although it is called packed."""
    Path("packed.csv").write_bytes(PACKED[packing](TABLE.encode()))
    Path(f"plain.csv.{packing}").write_text(TABLE)
    Path(f"x.jsonl.{packing}").write_bytes(PACKED[packing](b'{"text": "a"}\n'))
    for name, n_rows in (("packed.csv", 30), (f"plain.csv.{packing}", 30), (f"x.jsonl.{packing}", 1)):
        with CorpusReader(name, Reading(labels="none")) as reader:
            assert len(list(reader)) == n_rows


@each_packing
def test_encodings_and_delimiters(packing: str):
    """They are found as in a plain file."""
    content = "Frage;Art\ncafé;b\n"
    Path(f"x.csv.{packing}").write_bytes(PACKED[packing](content.encode("cp1252")))
    with (
        CorpusReader(f"x.csv.{packing}", Reading(text_column="Frage", labels="none")) as reader,
        pytest.raises(embedclf.DataError, match=r"(?s):2: byte 4 \(0xe9\).*--encoding cp1252  café;b"),
    ):
        list(reader)
    Path(f"map.csv.{packing}").write_bytes(PACKED[packing]("old;new\nb;ü\n".encode("utf-16")))
    reading = Reading(text_column="Frage", label_column="Art", encoding="cp1252", label_map=f"map.csv.{packing}")
    with CorpusReader(f"x.csv.{packing}", reading) as reader:
        assert [(row.text, row.label) for row in reader] == [("café", "ü")]


@each_packing
@pytest.mark.parametrize("n_bytes", [5, 12, -1, -9])
def test_cut_off(cli: Cli, packing: str, n_bytes: int):
    """Wherever it is."""
    Path(f"x.csv.{packing}").write_bytes(PACKED[packing](TABLE.encode())[:n_bytes])
    result = cli("train", f"x.csv.{packing}")
    assert result.exit_code == 1
    assert result.stderr == (f"Error: x.csv.{packing}: the {NAMES[packing]} file is truncated: get it again\n")


@each_packing
def test_damaged(cli: Cli, packing: str):
    """A changed byte is not taken for data."""
    content = bytearray(PACKED[packing](TABLE.encode()))
    content[len(content) // 2] ^= 0xFF
    Path(f"x.csv.{packing}").write_bytes(content)
    result = cli("train", f"x.csv.{packing}")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: x.csv.{packing}: the {NAMES[packing]} file is damaged (")


@each_packing
def test_a_bomb(cli: Cli, packing: str):
    """A file that unpacks to a thousand times its size is refused before it fills the memory."""
    packed = io.BytesIO()
    with (gzip if packing == "gz" else zstd).open(packed, "wb") as file:
        file.write(b"text,label\n")
        for _ in range(100):
            file.write(b"a" * (1 << 20))
    Path(f"x.csv.{packing}").write_bytes(packed.getvalue())
    result = cli("train", f"x.csv.{packing}")
    assert result.exit_code == 1
    assert "decompresses to more than 300 times its size, as no file of texts does" in result.stderr


def test_what_is_packed_in_itself(cli: Cli, model: Path):
    """Parquet is not read from a packed file, nor is it packed once more."""
    Path("x.parquet.gz").write_bytes(gzip.compress(b"PAR1 and so on"))
    assert cli("train", "x.parquet.gz").stderr == (
        "Error: x.parquet.gz: Parquet files are compressed already: decompress it first\n"
    )
    for kind in ("parquet", "xlsx"):
        assert cli("predict", "-m", model, "x", "-o", f"out.{kind}.gz").stderr == (
            f"Error: cannot write out.{kind}.gz: such files are compressed already; call it out.{kind}\n"
        )


@each_packing
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_outputs(cli: Cli, model: Path, packing: str, kind: str):
    """They unpack to the output that is not packed, and are the same bytes each time; also without a row."""
    for name, content in (("in.csv", TABLE), ("none.csv", "text,label\n")):
        Path(name).write_text(content)
        for output in ("plain", "one", "two"):
            ending = kind if output == "plain" else f"{kind}.{packing}"
            result = cli("predict", "-m", model, "--input", name, "-o", f"{output}.{ending}")
            assert result.exit_code == 0, result.stderr
        packed = Path(f"one.{kind}.{packing}").read_bytes()
        assert UNPACKED[packing](packed) == Path(f"plain.{kind}").read_bytes()
        assert packed == Path(f"two.{kind}.{packing}").read_bytes()


def test_fixed_in_place(cli: Cli):
    """``check --fix`` may write over the packed file that it reads."""
    Path("x.csv.gz").write_bytes(gzip.compress((TABLE + '"Where is my parcel?",delivery\n').encode()))
    result = cli("check", "x.csv.gz", "--fix", "x.csv.gz")
    assert "Wrote 30 rows to x.csv.gz" in result.stderr
    assert gzip.decompress(Path("x.csv.gz").read_bytes()).decode().splitlines()[0] == "text,label"


def test_without_zstandard(cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch):
    """What has to be installed is said, before anything is done."""
    Path("x.csv.zst").write_bytes(zstd.compress(TABLE.encode()))
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    package = sys.modules.get("backports" if sys.version_info < (3, 14) else "compression")
    monkeypatch.delattr(package, "zstd", raising=False)
    needs = "Zstandard needs backports.zstd: pip install 'embedclf[zstd]'\n"
    assert cli("train", "x.csv.zst").stderr == f"Error: x.csv.zst: {needs}"
    assert cli("predict", "-m", model, "x", "-o", "out.csv.zst").stderr == f"Error: cannot write out.csv.zst: {needs}"
