"""The languages that a set of texts is probably in, by their scripts and by the commonest words of some languages.

Texts without any common word, such as names, product codes and search terms, count for no language: rather no answer
than a wrong one.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import NamedTuple

_ENGLISH = """
    a about after again all already also always am an and another any anyone anything are as at be because been before
    being both but by came can cannot come could did do does doing done down during each either else even ever every
    everyone everything few for from get gets getting go goes going got had has have having he her here hers him his how
    i if in into is it its itself just know let like made make many may me might mine more most much must my myself
    neither never no nobody nor not nothing now of off on once one only or other our ours out over own per please put
    quite rather really said same say says shall she should since so some someone something still such than that the
    their theirs them then there these they this those through to too under until up upon us very was we went were what
    whatever when where whether which while who whole whom whose why will with within without would yes yet you your
    yours yourself
"""
ENGLISH = frozenset(_ENGLISH.split())
"""English words that are common in any text and say nothing of its subject."""

# Those that other languages have, too; they decide nothing.
_AMBIGUOUS = "a am an as at be do had has he her his i in is me no of on or over so to was we will"
_ONLY_ENGLISH = ENGLISH.difference(_AMBIGUOUS.split())

# Common words of languages in Latin script that are neither English nor part of names …
_COMMON = {
    language: frozenset(words.split())
    for language, words in {
        "German": "aber auch auf bitte dass ein eine einen für habe ich ist kann kein keine mein meine mir mit nicht "
        "noch nur oder schon sie sind und uns wann warum wenn wie wir wird wo wurde zum zur",
        "French": "avec aux cette dans depuis elle est être fait je leur mais mes mon ne nous où pas pourquoi puis "
        "quand que quel qui sont sur très une veux vos votre vous",
        "Spanish": "cómo cuando cuándo dónde ella es esta está este estoy hay hola más mi muy para pero por porque "
        "puedo que qué quiero se su también tengo una ya",
        "Portuguese": "ao até com como da ela em está eu foi isso já mais mas meu minha muito na não nas para pela "
        "porque posso quando que quero se seu também tem uma você",
        "Italian": "anche che chi con cosa della di dove è gli ho il io ma mi mia mio molto nella non perché più "
        "posso quando questa questo sono una vorrei",
        "Dutch": "aan deze dit een geen graag heb heeft het hoe ik kan maar met mijn naar niet nog ook op te uit voor "
        "waar waarom wanneer wat werd wordt zijn",
        "Swedish": "att av det där efter eller en ett från för har hur inte jag kan med min mitt när och om på som "
        "till varför är",
        "Danish or Norwegian": "av det er et eller en etter efter fra har hvad hva hvor hvordan hvorfor ikke jeg kan "
        "med min mitt når og om på som til være",
        "Polish": "ale czy dla dlaczego gdzie jak jest już kiedy mam mi mnie mogę moje mój na nie po proszę przez się "
        "są że za z",
        "Czech": "ale co jak je jsem když který můj mám na není od po pro proč prosím se si že kde kdy",
        "Romanian": "când care ce cum cu din este eu fi în mai mea meu nu pe pentru să sunt și un unde vă",
        "Turkish": "ama bana ben bir bu çok daha de değil gibi için istiyorum kadar mı mi nasıl ne neden ve var yok",
        "Finnish": "ei että ja joka kun koska milloin minä miksi minun mitä miten mutta myös niin ole olen ovat tämä",
        "Hungarian": "az csak egy ez és hogy hogyan kell kérem még meg mert miért már mikor nagyon nem vagy",
        "Indonesian or Malay": "ada adalah akan anda apa atau bagaimana bisa dan dari dengan ini itu juga kami kapan "
        "kenapa saya sudah tidak untuk yang",
        "Vietnamese": "bạn cho chưa có của được đã để gì không khi là làm một này những như rồi tôi trong và với",
    }.items()
}
# … and those that are.
_ALSO_COMMON = {
    "German": "ab als am an aus bei bin bis da das dem den der des die doch er es hat im in man mal nach so um vom von "
    "was zu",
    "French": "a au c ce d de du en est et il ils j l la le les n on ou par plus pour qu s sans se si son sur un",
    "Spanish": "a al como con de del el en es la las le lo los me mi no o pero se si sin son un y",
    "Portuguese": "a as da das de do dos e em me no nos o os por se sem um",
    "Italian": "a al alla ai da dal dei del di e i il in la le lo mi ne non o se si su un",
    "Dutch": "al als bij dan de die door er ge hem in is me mij of om over we wel ze zo",
    "Swedish": "de den det du i man men nu så vi",
}
# By the first word of the names of their characters in Unicode.
_SCRIPTS = {
    "ARABIC": "Arabic script",
    "BENGALI": "Bengali script",
    "CJK": "Chinese",
    "CYRILLIC": "Cyrillic script",
    "DEVANAGARI": "Devanagari script",
    "GREEK": "Greek",
    "HANGUL": "Korean",
    "HEBREW": "Hebrew",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "THAI": "Thai",
}
_OTHER_SCRIPT = "another script"
_WORD = re.compile(r"[^\W\d_]+")
_MOST_TEXTS = 2_000
# Some texts in another language are no reason to choose another embedder.
LEAST_FOREIGN = 0.2
# Fewer different common words of a language may be names and loans.
_FEWEST_WORDS = 4


def stop_words(texts: Sequence[str]) -> frozenset[str]:
    """Return the common words of English and of the languages that a set of texts is in."""
    languages = [one.language for one in foreign_languages(texts)]
    also = (_ALSO_COMMON.get(language, "").split() for language in languages)
    return ENGLISH.union(*also, *(_COMMON.get(language, ()) for language in languages))


class Foreign(NamedTuple):
    """Texts that are probably in one language other than English.

    Attributes
    ----------
    language : str
        Its name, or that of its script.
    share : float
        Share of the texts that contain letters; a lower bound, since a short text may not reveal its language.
    first : int
        Index of the first such text.
    """

    language: str
    share: float
    first: int


def foreign_languages(texts: Sequence[str]) -> list[Foreign]:
    """Find the languages other than English in a set of texts, the commonest first.

    A text is in the language of which it has the most common words, if it has more of them than English ones; or in
    that of the script of most of its letters. Of more than 2,000 texts, 2,000 are looked at.
    """
    rows = range(len(texts))
    sample = rows if len(rows) <= _MOST_TEXTS else sorted(Random(0).sample(rows, _MOST_TEXTS))  # noqa: S311
    languages: dict[int, str] = {}
    words: dict[str, set[str]] = {}
    n_texts = 0
    for index in sample:
        found = _words_of(texts[index])
        n_texts += bool(found)
        if script := _foreign_script(texts[index]):
            languages[index] = script
            continue
        n_english = len(found & _ONLY_ENGLISH)
        language, common = max(((name, found & of) for name, of in _COMMON.items()), key=lambda pair: len(pair[1]))
        if len(common) > n_english:
            languages[index] = language
            words.setdefault(language, set()).update(common)
    found_in: dict[str, list[int]] = {}
    has_kana = "Japanese" in languages.values()
    for index, language in languages.items():
        if len(words.get(language, ())) >= _FEWEST_WORDS or language not in _COMMON:
            found_in.setdefault("Japanese" if language == "Chinese" and has_kana else language, []).append(index)
    ranked = sorted(found_in.items(), key=lambda pair: -len(pair[1]))
    return [Foreign(language, len(of) / n_texts, of[0]) for language, of in ranked]


def notable_languages(texts: Sequence[str]) -> list[Foreign]:
    """Return the languages other than English that are a reason to choose another embedder; see `foreign_languages`."""
    found = foreign_languages(texts)
    if sum(one.share for one in found) < LEAST_FOREIGN:
        return []
    return [one for one in found if one.share >= LEAST_FOREIGN / 4]


def shown_language(one: Foreign) -> str:
    """Say how many texts are in a language."""
    return f"{100 * one.share:.0f} % of the texts are probably in {one.language}"


def _words_of(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _foreign_script(text: str) -> str | None:
    """Return what most letters of a text are, if not Latin."""
    if text.isascii():
        return None
    letters = Counter(_script(character) for character in text if character.isalpha())
    n_latin = letters.pop("LATIN", 0)
    if n_latin >= letters.total():
        return None
    if any(letters[kana] for kana in ("HIRAGANA", "KATAKANA")):
        return "Japanese"
    return _SCRIPTS.get(max(letters, key=letters.__getitem__), _OTHER_SCRIPT)


@cache
def _script(character: str) -> str:
    """Return the first word of the name of a letter: LATIN, CJK."""
    # Up to U+036F, letters that are not called Latin are signs within Latin texts: ª, µ.
    plain = character if character < "\u0370" else unicodedata.normalize("NFKC", character)[0]  # 𝒜 and Ａ are A
    return "LATIN" if plain < "\u0370" else unicodedata.name(plain, "LATIN").split(" ")[0]
