"""Finding personal data, secrets and regulated subjects by pattern and checksum (requirements D1, D3).

Names and street addresses need a language model and are not found here. The measured recall and false-positive rate stand
in docs/classification.md.
"""

from __future__ import annotations

import re
from typing import Final

from crew_router.decide.classify.secrets import secret_in
from crew_router.decide.classify.surroundings import Haystack, Marks, around
from crew_router.types import Domain, Risk

_EMAIL: Final = re.compile(
    r"(?:(?<![\w/:.])|(?<=mailto:))(?!git@|noreply@|no-reply@)[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,5}"
    r"(?!(?:png|jpe?g|gif|svg|webp|css|js|ts|tsx|py|md|json|ya?ml|service|sock)\b)[^\W\d_]{2,24}\b(?!:[\w~])"
)
_EMAIL_SPOKEN: Final = re.compile(
    r"\b[\w.+-]{2,64} ?[\[({] ?(?:at|@|arroba|klammeraffe) ?[\])}] ?[\w-]+(?: ?[\[({] ?(?:dot|punkt|\.) ?[\])}] ?|\.| dot )\w{2,}"
    r"|\b[\w.+-]{2,64} at [\w-]+ dot (?:com|org|net|de|at|io|eu|uk|fr|es|it|nl|pl|edu)\b",
    re.IGNORECASE,
)
_CARD: Final = re.compile(r"(?<![\w#/.-])(?:[3-6]\d{3}|2[2-7]\d{2})(?:[ -]?\d){8,15}(?![\w-]|\.\d)")
_CARD_LENGTHS: Final = {"3": (14, 15, 16), "4": (13, 16, 19), "5": (16,), "6": (16, 19), "2": (16,)}
_IBAN: Final = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}\b")
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
    "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GE": 22,
    "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "XK": 20,
}  # fmt: skip
_PHONE: Final = re.compile(
    r"(?<![\w+/=.-])(?:\+|00)[1-9]\d{0,2}[ .()/-]{0,2}\(?\d{1,5}\)?(?:[ ./-]?\d{2,5}){1,5}(?![\w%]|\.\d)"  # international
    r"|(?<![\w.-])\(\d{3}\) ?\d{3}[ .-]\d{4}\b"  # (555) 010-4477
    r"|(?<![\w./#-])[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}(?![\w-])"  # 555-210-4477
    r"|(?<![\w.:#/-])0[1-9]\d{1,4}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}(?![\w:.-])"  # 0664 123 45 67
)
_PHONE_NAMED: Final = re.compile(
    r"\b(?:tel(?:efon|[eé]fono|ephone)?|phone(?: number)?|mobile|mobil|m[oó]vil|handy|cell|whatsapp|fax|call (?:me|him"
    r"|her|us)|text me|ring me|reach (?:me|her|him)"
    r"|номер телефона|тел|电话|手机|電話|फ़ोन|هاتف)\b[^\d\n]{0,25}((?:\+?\(?\d[\d ()./-]{5,18}\d))"
    r"|(?:电话|手机|電話|هاتف|फ़ोन)[^\d\n]{0,10}(\+?\d[\d -]{5,18}\d)",
    re.IGNORECASE,
)
_SSN: Final = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_CPF: Final = re.compile(r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b")
_NAMED_NUMBER: Final = re.compile(
    r"\b(?:ssn|social security|sozialversicherungsnummer|svnr|passport|reisepass|pasaporte|passeport"
    r"|driver'?s? licen[cs]e|national id|id card|personalausweis"
    r"|nhs(?: number)?|bsn|pesel|nie|dni|nif|codice fiscale|aadhaar|tax id|steuer-?id"
    r"|num[eé]ro de s[eé]curit[eé] sociale|patient id|mrn|insurance (?:no|number))"
    r"\b[^\d\n]{0,20}[A-Z]{0,3}\d[\dA-Z .-]{4,18}",
    re.IGNORECASE,
)
_BANK: Final = re.compile(
    r"(?<!aws )(?<!AWS )\b(?:account|acct|acc|a/c|konto|kontonummer|kto|routing|aba|sort[ -]code|bsb|blz|clabe|cuenta"
    r"|compte|rekening|conto|conta)"
    r"(?:[ -]?(?:number|num|no|nr|n[º°]|#|nummer)\.?)?\s*(?:is|:|=|#|-)?\s*((?:\d[ -]?){6,22})\b(?! ?(?:users|rows"
    r"|followers|EUR|USD|records|requests))",
    re.IGNORECASE,
)
_BIRTH: Final = re.compile(
    r"\b(?:born(?: on)?|dob|d\.o\.b\.?|date of birth|birth ?date|birthday is|geboren am|geb\.|nacid[oa] el|né(?:e)? le"
    r"|nat[oa] il)\b[^\d\n]{0,12}"
    r"(?:\d{1,2}[./ -](?:\d{1,2}|[A-Za-z]{3,9})[./ -]\d{2,4}|\d{4}-\d{2}-\d{2}|[A-Za-z]{3,9} \d{1,2},? \d{4})",
    re.IGNORECASE,
)
_LUHN_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IBAN_MODULUS: Final = 97
_PHONE_DIGITS: Final = range(8, 16)
_REGULATED: Final = frozenset({Domain.LAW, Domain.MEDICINE})
_LONG_NUMBER: Final = re.compile(r"\d(?:[ ()./-]{0,2}\d){5,}")
_LONG_ASCII_NUMBER: Final = re.compile(_LONG_NUMBER.pattern, re.ASCII)  # faster
_BEFORE_NUMBER: Final = 60
_AFTER_NUMBER: Final = 40
_MOST_PIECES: Final = 64
_SPOKEN_AT: Final = Marks(" dot ", "[at]", "(at)", "{at}", " at ]", "[@]", "( at )", "[ at ]", "(@)", "(arroba)", "[arroba]")
_BIRTH_WORDS: Final = Marks("born", "dob", "d.o.b", "birth", "geb", "nacid", "né le", "née le", "nato il", "nata il")


def risks_of(text: str, domain: Domain) -> frozenset[Risk]:
    """Return what makes a text sensitive."""
    found: set[Risk] = set()
    where = Haystack(text)
    if secret_in(where):
        found.add(Risk.SECRETS)
    if _personal_data_in(where):
        found.add(Risk.PII)
    if domain in _REGULATED:
        found.add(Risk.REGULATED)
    return frozenset(found)


def has_personal_data(text: str) -> bool:
    """Tell whether a text holds an e-mail address, a card, account, phone or identity number, or a date of birth."""
    return _personal_data_in(Haystack(text))


def _personal_data_in(where: Haystack) -> bool:
    text = where.text
    if "@" in text and _EMAIL.search(around(text, ("@",), before=70, after=130)):
        return True
    if where.found(_SPOKEN_AT) and _EMAIL_SPOKEN.search(text):
        return True
    return _has_number(_numbers(text)) or bool(_BIRTH.search(where.around(_BIRTH_WORDS, before=10, after=60)))


def _numbers(text: str) -> str:
    """Return every number of at least six digits with what stands around it, a line each."""
    spans: list[tuple[int, int]] = []
    for match in (_LONG_ASCII_NUMBER if text.isascii() else _LONG_NUMBER).finditer(text):
        begin, end = match.start() - _BEFORE_NUMBER, match.end() + _AFTER_NUMBER
        if spans and begin <= spans[-1][1]:
            spans[-1] = spans[-1][0], end  # a number that begins near another one is not cut in two
        elif len(spans) < _MOST_PIECES:
            spans.append((max(begin, 0), end))
        else:
            break
    return "\n".join([text[begin:end] for begin, end in spans])


def _has_number(text: str) -> bool:
    return bool(text) and (
        _has_card(text)
        or _has_iban(text)
        or _has_phone(text)
        or any(pattern.search(text) for pattern in (_SSN, _NAMED_NUMBER, _BANK))
        or any(cpf_ok(match.group()) for match in _CPF.finditer(text))
    )


def luhn_ok(digits: str) -> bool:
    """Tell whether a card number's check digit fits (ISO/IEC 7812-1)."""
    values = [int(mark) for mark in reversed(digits)]
    return sum(value if at % 2 == 0 else _LUHN_DOUBLED[value] for at, value in enumerate(values)) % 10 == 0


def iban_ok(text: str) -> bool:
    """Tell whether an account number's country, length and check digits fit (ISO 13616, modulus 97)."""
    plain = re.sub(r"[ -]", "", text).upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(mark, 36)) for mark in plain[4:] + plain[:4])) % _IBAN_MODULUS == 1


def cpf_ok(text: str) -> bool:
    """Tell whether both check digits of a Brazilian taxpayer number fit."""
    digits = [int(mark) for mark in text if mark.isdigit()]
    for size in (9, 10):
        rest = sum(value * (size + 1 - at) for at, value in enumerate(digits[:size])) * 10 % 11 % 10
        if rest != digits[size]:
            return False
    return len(set(digits)) > 1


def _has_card(text: str) -> bool:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(digits) in _CARD_LENGTHS[digits[0]] and len(set(digits)) > 1 and luhn_ok(digits):
            return True
    return False


def _has_iban(text: str) -> bool:
    for match in _IBAN.finditer(text):
        plain = re.sub(r"[ -]", "", match.group()).upper()
        size = _IBAN_LENGTHS.get(plain[:2])
        # The words after a number are read as its end, so only as many characters as the country has are checked.
        if size is not None and plain.isascii() and iban_ok(plain[:size]):
            return True
    return False


def _has_phone(text: str) -> bool:
    if any(sum(map(str.isdigit, match.group())) in _PHONE_DIGITS for match in _PHONE.finditer(text)):
        return True
    return any(sum(map(str.isdigit, match.group())) >= 7 for match in _PHONE_NAMED.finditer(text))  # noqa: PLR2004 - shorter are extensions
