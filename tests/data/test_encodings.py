"""The encoding of bytes is found by how they read, and text that was decoded in a wrong one by how it would."""

import pytest

from embedclf.data.encodings import guess_encodings
from embedclf.data.mojibake import repaired, wrong_encoding

TEXTS = {
    "où est ma commande, elle a été payée": ["cp1252", "mac_roman", "cp850"],
    "Größe falsch, Lieferung zu spät": ["cp1252", "mac_roman"],
    "I don’t know, it cost £5": ["cp1252"],
    "gdzie jest moja paczka, proszę o zwrot pieniędzy, źle": ["cp1250", "iso8859-2"],
    "příliš pozdě, vraťte mi peníze": ["cp1250", "iso8859-2"],
    "где моя посылка, верните деньги": ["cp1251", "koi8_r", "cp866"],
    "πού είναι το δέμα μου": ["cp1253"],
    "Kargom nerede kaldı, paramı geri istiyorum şimdi": ["cp1254"],
    "איפה החבילה שלי": ["cp1255"],
    "أين طردي، أريد استرداد أموالي": ["cp1256"],
    "kur mano siuntinys, grąžinkite pinigus, ačiū": ["cp1257"],
    "配送が遅いので返金してください": ["cp932", "euc_jp", "utf-16-le", "utf-16-be", "utf-16", "utf-32-le"],
    "我的包裹在哪里，请退款": ["gb18030", "utf-16-le"],
    "我的包裹在哪裡，請退款": ["big5"],
    "배송이 늦어요, 환불해 주세요": ["cp949"],
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_encoding_that_reads_best_comes_first(text: str) -> None:
    for encoding in TEXTS[text]:
        best, *others = guess_encodings(f"text,label\n{text},x\n".encode(encoding), "utf-8")
        assert (best.encoding, best.line) == (encoding, f"{text},x"[:60] + ("…" if len(text) > 58 else ""))
        assert len(others) < 3


def test_the_encoding_that_failed_is_never_named() -> None:
    for failed in ("cp1252", "windows-1252", "CP-1252"):
        assert all(guess.encoding != "cp1252" for guess in guess_encodings(b"text\ncaf\xe9 \x81\n", failed))
    assert guess_encodings("text\ncafé\n".encode(), "cp1252")[0] == ("utf-8", "café")


@pytest.mark.parametrize(
    "text", ["café", "don’t", "Привет мир", "配送が遅い", "5 €", "😀 nice", "naïve — Straße", "CÓDIGO"]
)
@pytest.mark.parametrize("read_as", ["cp1252", "latin-1"])
def test_utf8_that_was_read_as_another(text: str, read_as: str) -> None:
    try:
        once = text.encode().decode(read_as)
        twice = once.encode().decode(read_as)
    except UnicodeDecodeError:
        pytest.skip("cp1252 leaves a byte undefined")
    assert repaired(once) == repaired(twice) == text
    assert repaired(f"plain {once} words") == f"plain {text} words"


@pytest.mark.parametrize(("text", "read_as"), [("Привет", "cp1251"), ("café", "mac_roman"), ("café", "cp850")])
def test_utf8_that_was_read_as_a_rarer_one(text: str, read_as: str) -> None:
    assert repaired(text.encode().decode(read_as, "replace")) == text


@pytest.mark.parametrize(
    "text",
    [
        "café",
        "don’t",
        "CAFÉ”",
        "“AMANHÔ",
        "„Ä“",
        "Ünïcödé",
        "ÄÖÜ",
        "Ã la carte",
        "Привет",
        "“РИГ”",
        "これは",
        "Không",
        "½ ©",
    ],
)
def test_text_that_is_as_it_should_be(text: str) -> None:
    assert repaired(text) is None


def test_texts_that_were_all_read_as_cp1252() -> None:
    for encoding, texts in {
        "cp1251": ["где моя посылка", "верните деньги"],
        "cp932": ["配送が遅いです", "返金してください、お願いします"],
    }.items():
        assert wrong_encoding(text.encode(encoding).decode("latin-1") for text in texts) == encoding
    assert wrong_encoding(["où est ma commande, elle a été payée", "Größe übermäßig süß für Mädchen"] * 3) is None
