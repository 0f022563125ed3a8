"""Files that are something else than rows of text: what they are, by their first bytes, and what to do about it."""

import codecs
import re
import shlex
from collections.abc import Callable
from pathlib import Path

LONGEST = 512
"""How many first bytes of a file are looked at."""

ZIP_MAGIC = b"PK\x03\x04"
"""First bytes of a ZIP archive. If that may be read, it is a workbook of Excel (.xlsx)."""

_MOST_NAMED = 3
_FIRST = 64
_LEAST_CONTROL = 0.05
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# These name what they write themselves, if the file has such a suffix.
_PACKED = frozenset([".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z"])
_DECOMPRESS = "decompress it first"
_SAVE = "save it as CSV (UTF-8)"
_PICKLE = (
    "loading it could run code, so embedclf does not; in the program that made it, write CSV (df.to_csv) or Parquet"
)
_PANDAS = (
    "python3 -c 'import pandas as pd, sys; pd.{reader}(sys.argv[1]).to_csv(sys.argv[2], index=False)' {path} {stem}.csv"
)
_ARROW = (
    "python3 -c 'import pyarrow.feather as f, pyarrow.parquet as p, sys; "
    "p.write_table(f.read_table(sys.argv[1]), sys.argv[2])' {path} {stem}.parquet"
)
_STREAM = (
    "python3 -c 'import pyarrow as a, pyarrow.parquet as p, sys; "
    "p.write_table(a.ipc.open_stream(sys.argv[1]).read_all(), sys.argv[2])' {path} {stem}.parquet"
)
_ORC = (
    "python3 -c 'import pyarrow.orc as o, pyarrow.parquet as p, sys; "
    "p.write_table(o.read_table(sys.argv[1]), sys.argv[2])' {path} {stem}.parquet"
)

# First bytes, what such a file is, and what to do. {path} and {stem} are the file's, quoted for a shell.
_BY_START: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip file", _DECOMPRESS + ": gunzip -k {path}"),
    (b"BZh", "a bzip2 file", _DECOMPRESS + ": bunzip2 -k {path}"),
    (b"\xfd7zXZ\x00", "an xz file", _DECOMPRESS + ": unxz -k {path}"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _DECOMPRESS + ": unzstd {path}"),
    (b"\x04\x22\x4d\x18", "an LZ4 file", _DECOMPRESS + ": unlz4 {path}"),
    (b"\x1f\x9d", "a file packed with compress", _DECOMPRESS + ": uncompress {path}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first: 7z x {path}"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first: unrar x {path}"),
    (_OLD_OFFICE, "an old Excel or Word file, or one with a password", f"open it in a spreadsheet and {_SAVE}"),
    (b"SQLite format 3\x00", "an SQLite database",
     "export the table: sqlite3 -header -csv {path} 'SELECT * FROM NAME' > {stem}.csv"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", f"export it: {_PANDAS.replace('{reader}', 'read_hdf')}"),
    (b"\x93NUMPY", "a NumPy array (.npy)", "it has no columns of texts and labels: write them as CSV"),
    (b"ARROW1", "an Arrow (Feather) file", f"convert it to Parquet: {_ARROW}"),
    (b"FEA1", "a Feather file (version 1)", f"convert it to Parquet: {_ARROW}"),
    (b"\xff\xff\xff\xff", "an Arrow stream", f"convert it to Parquet: {_STREAM}"),
    (b"Obj\x01", "an Avro file", "convert it to CSV, JSON Lines or Parquet"),
    (b"ORC", "an ORC file", f"convert it to Parquet: {_ORC}"),
    (b"%PDF-", "a PDF document", "copy its table into a spreadsheet, and " + _SAVE),
    (b"{\\rtf", "an RTF document", "copy its table into a spreadsheet, and " + _SAVE),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "expected a file of texts"),
    (b"\xff\xd8\xff", "a JPEG image", "expected a file of texts"),
    (b"GIF87a", "a GIF image", "expected a file of texts"),
    (b"GIF89a", "a GIF image", "expected a file of texts"),
    (b"RIFF", "an image, a sound or a film (RIFF)", "expected a file of texts"),
    (b"II*\x00", "a TIFF image", "expected a file of texts"),
    (b"MM\x00*", "a TIFF image", "expected a file of texts"),
    (b"OggS", "a sound or a film (Ogg)", "expected a file of texts"),
    (b"ID3", "a sound (MP3)", "expected a file of texts"),
    (b"\x7fELF", "a program (ELF)", "expected a file of texts"),
    (b"$FL2", "an SPSS file", f"export it: {_PANDAS.replace('{reader}', 'read_spss')}"),
    (b"<stata_dta>", "a Stata file", f"export it: {_PANDAS.replace('{reader}', 'read_stata')}"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch it: git lfs pull --include {path}"),
    (b"-----BEGIN ", "a key or a message in ASCII armour", "expected a file of texts"),
)  # fmt: skip
_PICKLED = re.compile(rb"\x80[\x02-\x05][\x95}\](cX\x8c]")
_SAFETENSORS = re.compile(rb'.{6}\x00\x00\{\s*"', re.DOTALL)
_HTML = re.compile(rb"(<!--.*?-->\s*|<\?xml[^>]*\?>\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_XML = re.compile(rb"(<\?xml\s|<[A-Za-z][\w:.-]*(\s[^<>]*)?>\s*<|<[A-Za-z][\w:.-]*\s[^<>]*xmlns)")
_TITLE = re.compile(r"<title[^>]*>\s*([^<]*?)\s*<", re.IGNORECASE)
_SQL = re.compile(
    rb"(--[^\n]*\n|/\*.*?\*/;?|\s)*(CREATE (TABLE|DATABASE)|INSERT INTO|DROP TABLE|BEGIN TRANSACTION;|PRAGMA )",
    re.DOTALL,
)
_NOTEBOOK = re.compile(rb'\{\s*"(cells|metadata)"\s*:\s*[\[{].*?"(cell_type|kernelspec|nbformat)"', re.DOTALL)
_ANNEX = re.compile(rb"(/annex/objects/|(\.\./)*\.git/annex/objects/)\S+\s*$")
_DVC = re.compile(rb"(md5: \S+\s+)?outs:\s*\n\s*-\s*(md5|hash|etag)")
_NOT_FOUND = re.compile(
    rb'([45]\d\d:? [A-Z][A-Za-z ]+|((Entry|Repository) not|Not) found|\{\s*"error"\s*:\s*"[^"]*"\s*\})\s*$',
    re.IGNORECASE,
)
_ARFF = re.compile(rb"(%[^\n]*\n|\s)*@relation\s", re.IGNORECASE)
_YAML = re.compile(rb"---\s*\r?\n\s*(- )?[\w-]+:\s|- [\w-]+: [^\n]*\n  [\w-]+: ")
_MARKDOWN = re.compile(rb"\|[^\n]*\|[ \r]*\n\|[ :|-]+\|[ \r]*\n")


def foreign_problem(start: bytes, path: Path | None) -> str | None:
    """Return what a file is, if it is none of rows, and what to do about it; None if it may be read.

    Parameters
    ----------
    start : bytes
        The first bytes of the file, `LONGEST` of them or more.
    path : Path or None
        The file, which is looked into if it is an archive; None for standard input.
    """
    name = shlex.quote("FILE" if path is None else str(path))
    stem = shlex.quote("FILE" if path is None else _free_stem(path))
    for mark, what, advice in _BY_START:
        if start.startswith(mark) and not (mark.isalnum() and _is_plain(start[:_FIRST])):
            if what == "a gzip file" and path is not None and path.name.endswith((".tgz", ".tar.gz")):
                return f"this is a packed tar archive: unpack it first: tar xzf {name}"
            if advice.startswith(_DECOMPRESS) and path is not None and path.suffix not in _PACKED:
                output = shlex.quote(str(path.with_suffix(f".unpacked{path.suffix}")))
                advice = advice.replace(" -k", "").replace("{path}", f"-c {{path}} > {output}")
            return f"this is {what}: {advice.replace('{path}', name).replace('{stem}', stem)}"
    if start.startswith((ZIP_MAGIC, b"PK\x05\x06")):
        return _zip_problem(path, name, stem)
    if start[257:262] == b"ustar":
        return f"this is a tar archive: unpack it first: tar xf {name}"
    if _PICKLED.match(start):
        return f"this is a Python pickle: {_PICKLE}"
    if start[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda") and not start.isascii():
        return f"this is zlib data, perhaps of joblib: {_PICKLE}"
    if _SAFETENSORS.match(start):
        return f"this is a model (safetensors), not a dataset: give a model with --model {name}"
    return _text_problem(start)


def _free_stem(path: Path) -> str:
    """Return what to call a converted file, without its suffix, so that no file is overwritten, such as this one."""
    taken = any(path.with_suffix(suffix).exists() for suffix in (".csv", ".parquet"))
    return str(path.with_suffix(".converted" if taken else ""))


def _is_plain(start: bytes) -> bool:
    """Return whether some bytes are ASCII text, such as a header that begins with the letters of a mark."""
    return start.isascii() and min(start) >= ord("\t")


def _text_problem(start: bytes) -> str | None:
    """Return what a text file is that holds no rows; None if it may."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _HTML.match(text):
        title = _TITLE.search(text.decode("utf-8", "replace"))
        called = f" called {title[1][:60]!r}" if title and title[1] else ""
        return f"this is an HTML page{called}, perhaps of a login or an error: download the file itself"
    kinds: tuple[tuple[Callable[[bytes], object], str], ...] = (
        (_XML.match, "this is XML: convert it to CSV, for example by opening it in a spreadsheet"),
        (_NOTEBOOK.match, "this is a Jupyter notebook: export the table from it: df.to_csv('data.csv', index=False)"),
        (_ANNEX.match, "this is a git-annex pointer, not the file itself: fetch it with git annex get"),
        (_DVC.match, "this is a DVC pointer, not the file itself: fetch it with dvc pull"),
        (_NOT_FOUND.match, "this is the error of a server, not the file that was asked for: download it again"),
        (_SQL.match, "this is a dump of an SQL database: load it, and export the table as CSV"),
        (_ARFF.match, "this is an ARFF file (Weka): save it as CSV"),
        (_YAML.match, "this is YAML: convert it to CSV or JSON Lines"),
        (_MARKDOWN.match, "this is a Markdown table: write it as CSV"),
    )  # fmt: skip
    return next((problem for matches, problem in kinds if matches(text)), None)


def _zip_problem(path: Path | None, name: str, stem: str) -> str | None:
    import zipfile

    if path is None:
        return "this is an Excel file or a ZIP archive, which is not read from standard input: pass its path"
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one for one in archive.namelist() if not one.endswith("/")]
            kind = archive.read("mimetype", pwd=None)[:80] if "mimetype" in names[:1] else b""
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, KeyError):
        return "this is a ZIP archive or an Excel file: unpack it, or " + _SAVE
    if "xl/workbook.xml" in names:
        return None
    if any(one.startswith("xl/") for one in names):
        export = _PANDAS.replace("{reader}", "read_excel").replace("{path}", name).replace("{stem}", stem)
        return f"this is a binary Excel file (.xlsb): {_SAVE}, or export it: {export}"
    if b"opendocument.spreadsheet" in kind:
        return f"this is an OpenDocument spreadsheet: {_SAVE}"
    if any(one.startswith("word/") for one in names) or b"opendocument.text" in kind:
        return f"this is a text document (Word or OpenDocument): copy its table into a spreadsheet, and {_SAVE}"
    if any(one.startswith("ppt/") for one in names) or b"opendocument" in kind:
        return f"this is an office document: copy its table into a spreadsheet, and {_SAVE}"
    if names and all(one.endswith(".npy") for one in names):
        return "this is a file of NumPy arrays (.npz): it has no columns of texts and labels: write them as CSV"
    if any(one.endswith("/data.pkl") or one == "data.pkl" for one in names):
        return f"this is a PyTorch file: {_PICKLE}"
    holds = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "") if names else "nothing"
    return f"this is a ZIP archive, which holds {holds}: unpack it first: unzip {name}"


def binary_problem(start: bytes) -> str | None:
    """Return that a file is no text, if its first bytes are not UTF-8 and have control characters that no text has."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        control = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in start)
        if control >= _LEAST_CONTROL * len(start):
            return "this is binary data, not text: expected a file of texts"
    return None
