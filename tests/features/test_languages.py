"""Which languages texts are in: rather no answer than a wrong one."""

import pytest

from corpus import DATASETS, TEXTS
from embedclf.data.corpus import read_corpus
from embedclf.features.languages import foreign_languages

ENGLISH = {
    "the small corpus": TEXTS,
    "searches": ["reset password", "refund status", "track parcel", "opening hours", "delivery Spain", "promo code"],
    "product codes": ["XK-2290 Pro", "AB1234", "M8x40 zinc DIN 933", "SKU 00-17-A", "RTX 4090", "USB-C 2m", "Ø 12 mm"],
    "people": [
        "Maria de la Cruz",
        "Jan van der Meer",
        "Søren Kierkegaard",
        "José da Silva",
        "Ludwig von Mises",
        "Anna María López",
        "Nguyễn Văn An",
        "Lars och Anna Lindström",
        "Zoë Müller",
        "Çağla Yılmaz",
    ],
    "places": [
        "Los Angeles",
        "El Paso",
        "La Paz",
        "Des Moines",
        "São Paulo",
        "Zürich",
        "Côte d'Ivoire",
        "Las Vegas, NV",
    ],
    "tweets": [
        "omg no way 😂😂😂",
        "RT @user: que sera sera lol",
        "can't even rn 💀",
        "LA LA LAND was mid tbh",
        "gm ☀️ #blessed",
        "mood af",
        "ich liebe dich haha jk",
        "so done w this",
        "🔥🔥🔥",
        "𝓈𝑜 𝒫𝓇𝑒𝓉𝓉𝓎",
        "ｖａｐｏｒｗａｖｅ",
        "https://example.com/a",
    ],
    "dishes": ["spaghetti alla puttanesca", "crème brûlée", "pad thai", "sauerkraut", "chili con carne", "tarte tatin"],
    "formulas": ["α + β = γ", "Δx/Δt", "μ = 3.2 µm", "∑ xᵢ²", "λ calculus", "π is about 3.14159", "Ω resistor 10 k"],
    "latin": ["Quercus robur", "Homo sapiens", "Felis catus", "Rosa canina", "Vitis vinifera", "Canis lupus"],
    "numbers": ["1", "2.50", "100 %", "…", "+44 20 7946 0000"],
    "some of another language": [*TEXTS, "Wo ist mein Paket?", "Ich habe mein Passwort vergessen", "返金してください"],
    "none": [],
}
FOREIGN = {
    "German": [
        "Wo ist mein Paket?",
        "Passwort vergessen",
        "Ich möchte eine Rückerstattung",
        "Das geht nicht auf",
        "Retoure",
    ],
    "French": ["Où est mon colis ?", "Mot de passe oublié", "Je veux être remboursé", "Ce n'est pas la bonne taille"],
    "Spanish": [
        "¿Dónde está mi paquete?",
        "Quiero que me devuelvan el dinero",
        "No puedo entrar en mi cuenta",
        "Gracias",
    ],
    "Portuguese": [
        "Onde está a minha encomenda?",
        "Não consigo entrar",
        "Quero o meu dinheiro de volta",
        "Você pode ajudar?",
    ],
    "Italian": [
        "Dov'è il mio pacco?",
        "Non riesco ad accedere",
        "Vorrei un rimborso",
        "Questo è il prodotto sbagliato",
    ],
    "Dutch": [
        "Waar is mijn pakket?",
        "Ik kan niet inloggen",
        "Wachtwoord vergeten",
        "Het is de verkeerde maat, wat nu?",
    ],
    "Swedish": ["Var är mitt paket?", "Jag kan inte logga in", "Glömt lösenord", "Det är fel storlek"],
    "Polish": ["Gdzie jest moja paczka?", "Nie mogę się zalogować", "Proszę o zwrot", "Kiedy dostanę przesyłkę?"],
    "Turkish": ["Paketim nerede?", "Giriş yapamıyorum, neden?", "Bu ürün çok küçük", "İade için ne yapmam gerekiyor?"],
    "Finnish": ["Missä minun pakettini on?", "En pääse kirjautumaan, koska se ei toimi", "Miten palautan tuotteen?"],
    "Hungarian": ["Hol van a csomagom?", "Nem tudok belépni", "Kérem a pénzem vissza", "Ez egy rossz méret és nem jó"],
    "Indonesian or Malay": ["Di mana paket saya?", "Saya tidak bisa masuk", "Apa ini sudah dikirim?", "Uang kembali"],
    "Vietnamese": ["Gói hàng của tôi ở đâu?", "Tôi không đăng nhập được", "Làm sao để trả hàng?"],
    "Cyrillic script": ["Где моя посылка?", "Забыл пароль", "Верните деньги"],
    "Greek": ["Πού είναι το πακέτο μου;", "Ξέχασα τον κωδικό"],
    "Arabic script": ["أين طردي؟", "نسيت كلمة المرور"],
    "Hebrew": ["איפה החבילה שלי?", "שכחתי סיסמה"],
    "Korean": ["제 소포는 어디에 있나요?", "비밀번호를 잊어버렸어요"],
    "Chinese": ["我的包裹在哪里？", "忘记密码", "我要退款"],
    "Japanese": ["荷物はどこですか", "返金希望", "パスワードを忘れました"],
    "Thai": ["พัสดุของฉันอยู่ที่ไหน", "ลืมรหัสผ่าน"],
    "Devanagari script": ["मेरा पार्सल कहाँ है?", "पासवर्ड भूल गया"],
    "another script": ["որտե՞ղ է իմ ծանրոցը", "մոռացել եմ գաղտնաբառը"],
}


@pytest.mark.parametrize("what", ENGLISH)
def test_no_false_alarm(what: str):
    """Less than a fifth of the texts: no warning comes of it."""
    assert sum(one.share for one in foreign_languages(ENGLISH[what])) < 0.2


@pytest.mark.parametrize("name", ["support_tickets", "product_reviews"])
def test_the_english_datasets_are_english(name: str):
    """Every text of them."""
    assert foreign_languages(read_corpus(DATASETS / f"{name}.csv").texts) == []


@pytest.mark.parametrize("language", FOREIGN)
def test_a_few_texts_are_enough(language: str):
    """The language is named, or its script."""
    first, *others = foreign_languages(FOREIGN[language])
    assert first.language == language
    assert others == []
    assert first.share >= 0.5


@pytest.mark.parametrize(("name", "least"), [("german", 0.8), ("japanese", 1.0)])
def test_the_messages_are_recognized(name: str, least: float):
    """Most of the German ones, and all of the Japanese."""
    (found,) = foreign_languages(read_corpus(DATASETS / f"{name}_messages.csv").texts)
    assert found.language.lower() == name
    assert found.share >= least


def test_several_languages_are_each_counted():
    """The commonest first, with its first text."""
    texts = [*TEXTS[:10], *FOREIGN["Cyrillic script"][:2], *FOREIGN["German"], *FOREIGN["Japanese"][:2]]
    found = foreign_languages(texts)
    assert [one.language for one in found] == ["German", "Cyrillic script", "Japanese"]
    assert [one.first for one in found] == [12, 10, 17]


def test_many_texts_are_sampled():
    """Their shares stay the same."""
    (found,) = foreign_languages(["Где моя посылка?", "Where is my parcel?"] * 50_000)
    assert found.share == pytest.approx(0.5, abs=0.05)
