"""Write the bytes of WordLlama's vectors of awkward texts to standard output, to compare two environments by."""

import sys
from importlib.metadata import version

import embedclf

TEXTS = [
    "where is my parcel?",
    "  spaces,  tabs\tand\nlines  ",
    "a\0b",
    "日本語のテキスト",
    "emoji 🙂 👩‍👩‍👧‍👦",
    "ünï, e\u0301, n\u0303, ﷺ, 𝔘𝔫𝔦, \u202eabc",
    "<s></s><unk>",
    "unbroken" * 2_000,
    "words that are many, " * 5_000,
]

sys.stderr.write(f"WordLlama {version('wordllama')}\n")
for dimensions in (64, 128, 256):
    # Alone, each by an embedder that is new, and all together: token vectors are converted in either way.
    for texts in (*([text] for text in TEXTS), TEXTS):
        embedder = embedclf.open_embedder("wordllama", dimensions=dimensions)
        sys.stdout.buffer.write(embedder.embed(texts).tobytes())
