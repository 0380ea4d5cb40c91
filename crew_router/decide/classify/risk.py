"""Personal data, secrets and regulated subjects in a text, by patterns and the words around them (requirement D1)."""

from __future__ import annotations

import re
from itertools import compress
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.types import Domain, Risk
from crew_router.types.cached import cached_property

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PIECES: Final = 64
_LONG_CHARS: Final = 1_500  # below it looking for every mark is faster
_FACTOR: Final = np.uint16(31)


class Marks:
    """Fixed strings of at least three bytes, in lower case."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        codes = [_trigrams(text).tolist() for text in texts]
        most = max(map(len, codes))
        self.codes = np.array([each + each[:1] * (most - len(each)) for each in codes], np.uint16)


class Haystack:
    """A text to look for marks in.

    A long text is read once, into a table of the three-byte pieces that occur; only marks whose pieces all do are looked for.
    """

    def __init__(self, text: str) -> None:
        self.text, self.lowered = text, text.lower()

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        seen = np.zeros(1 << 16, np.bool_)
        seen[_trigrams(self.lowered)] = True
        return seen

    def found(self, marks: Marks) -> tuple[str, ...]:
        """Return the marks that occur."""
        texts = marks.texts
        if len(self.lowered) > _LONG_CHARS:
            may_occur: list[bool] = np.logical_and.reduce(self._seen[marks.codes], axis=1).tolist()
            texts = tuple(compress(texts, may_occur))
        return tuple([mark for mark in texts if mark in self.lowered])

    def around(self, marks: Marks, *, before: int, after: int) -> str:
        """Return the surroundings of every mark in any case, as :func:`around` does."""
        return around(self.text, self.found(marks), before=before, after=after, lowered=self.lowered)


def _trigrams(text: str) -> NDArray[np.uint16]:
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.uint16)
    codes: NDArray[np.uint16] = (data[:-2] * _FACTOR + data[1:-1]) * _FACTOR + data[2:]
    return codes


def around(text: str, marks: tuple[str, ...], *, before: int, after: int, lowered: str | None = None) -> str:
    """Return the surroundings of every mark, a line each: patterns are slow, and finding a fixed string is not.

    Args:
        text: Where to look.
        marks: Fixed strings, in lower case when ``lowered`` is given.
        before: Characters kept before a mark.
        after: Characters kept after the beginning of a mark.
        lowered: The text in lower case, for marks in any case.
    """
    searched = text if lowered is None or len(lowered) != len(text) else lowered
    pieces: list[str] = []
    for mark in marks:
        at = searched.find(mark)
        while at >= 0 and len(pieces) < _MOST_PIECES:
            # Whole words only, so that a cut does not make a beginning where there is none.
            begin = max(0, at - before)
            while begin > 0 and not text[begin - 1].isspace() and at - begin < 2 * before:
                begin -= 1
            pieces.append(text[begin : at + after])
            at = searched.find(mark, at + after)
    return "\n".join(pieces)


_FORMATS: Final = re.compile(
    r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"
    r"|\bsk-(?:ant-|proj-|or-v1-|svcacct-)?[A-Za-z0-9_-]{16,}"
    r"|\b[srp]k_(?:live|test)_[0-9A-Za-z]{10,}|\bwhsec_[0-9A-Za-z]{16,}"
    r"|\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+"
    r"|\bAIza[0-9A-Za-z_-]{30,}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-AgE[\w-]{20,}|\brubygems_[0-9a-f]{32,}|\bdckr_pat_[\w-]{20,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bkey-[0-9a-f]{32}\b|\b(?:AC|SK)[0-9a-f]{32}\b"
    r"|\bdop_v1_[0-9a-f]{40,}|\bshp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}|\bsq0(?:atp|csp)-[\w-]{20,}|\bdapi[0-9a-f]{32}\b"
    r"|\bhvs\.[\w-]{20,}|\b(?:r8|gsk)_[A-Za-z0-9]{30,}|\b(?:xai|pplx|nvapi|tskey|PMAK|ATATT3)-?[A-Za-z0-9_-]{24,}"
    r"|\blin_api_\w{30,}|\bgls?a_\w{32,}|\bfig[do]_[\w-]{20,}|\bsntrys_\w{20,}|\bEAA[A-Za-z0-9]{60,}"
    r"|\b\d{8,10}:AA[\w-]{32,}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"
    r"|\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{30,}={0,2}"
)
# Every format holds one of these; the pattern is slow, finding fixed strings is not.
_FORMAT_MARKS: Final = (
    "AGE-SECRET-KEY-1", "sk-", "_live_", "_test_", "whsec_", "AKIA", "ASIA", "ABIA", "ACCA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "github_pat_", "glpat-", "xox", "xapp-", "hooks.slack.com", "AIza", "ya29.", "GOCSPX-", "hf_", "npm_", "pypi-AgE", "rubygems_",
    "dckr_pat_", "SG.", "key-", "AC", "SK", "dop_v1_", "shpat_", "shpss_", "shpca_", "shppa_", "sq0", "dapi", "hvs.", "r8_", "gsk_",
    "xai", "pplx", "nvapi", "tskey", "PMAK", "ATATT3", "lin_api_", "gla_", "glsa_", "figd_", "figo_", "sntrys_", "EAA", ":AA", "eyJ",
    "AccountKey=", "SharedAccessKey=",
)  # fmt: skip
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----")
_SHORTEST_KEY: Final = 16
_NAMES: Final = Marks(
    "pass", "pwd", "secret", "key", "token", "credential", "bearer", "kennwort", "contrase", "de passe", "senha", "hasło",
    "wachtwoord", "пароль", "密码", "パスワード",
)  # fmt: skip
_IN_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,60}:([^\s/@]{3,80})@[\w.-]")
_ASSIGNED: Final = re.compile(
    r"(?<![A-Za-z])(?:pass(?:word|wd|phrase|code)?|pwd|secret(?:[_ -]?(?:access[_ -]?)?key)?|api[_ -]?key"
    r"|access[_ -]?(?:key|token)|auth[_ -]?(?:key|token)"
    r"|client[_ -]?secret|private[_ -]?key|token|credentials?|bearer|passwort|kennwort|contrase[ñn]a|de passe|senha"
    r"|hasło|wachtwoord|пароль|密码|パスワード)"
    r"(?:[\"']?\s*(?:=>|[:=\uff1a]|\bis\b|\bist\b|\bes\b|\best\b|\bjest\b|\bwas\b|是|は)\s*|(?<=earer)\s+)[\"'`]?([^\s\"'`,;<>(){}\[\]]{6,200})",
    re.IGNORECASE,
)
_HEX_DIGEST: Final = re.compile(r"(?:sha\d*|md5)[:-]", re.IGNORECASE)
_PLACE: Final = re.compile(
    r"^(?:\$|%|\*|x{3,}|os\.|process\.|env|self\.|config|settings|https?:|your|my[-_]|example|changeme\.|placeholder|[a-z_.]+\.[a-z_]+$)",
    re.IGNORECASE,
)


def has_secret(text: str) -> bool:
    """Tell whether a text holds a key, a token, a password or a private key."""
    return secret_in(Haystack(text))


def secret_in(where: Haystack) -> bool:
    """Tell the same of a text that other things are looked for in, too."""
    text = where.text
    if "PRIVATE KEY" in text and _PRIVATE_KEY.search(text):
        return True
    long_words = " ".join([word for word in text.split() if len(word) >= _SHORTEST_KEY])
    if _has_format(long_words):
        return True
    if "://" in long_words and any(not _PLACE.match(match.group(1)) for match in _IN_URL.finditer(long_words)):
        return True
    named = where.around(_NAMES, before=24, after=160)
    return any(_looks_secret(match.group(1)) for match in _ASSIGNED.finditer(named))


def _has_format(long_words: str) -> bool:
    marks = [mark for mark in _FORMAT_MARKS if mark in long_words]
    if not marks:
        return False
    suspects = [word for word in long_words.split(" ") if any(mark in word for mark in marks)]
    return _FORMATS.search(" ".join(suspects)) is not None


def _looks_secret(value: str) -> bool:
    # Names of variables, types and words of prose follow "password:" too; what is secret mixes letters with digits or marks.
    value = value.rstrip(".,:;!?")
    if len(value) < 6 or _PLACE.match(value) or _HEX_DIGEST.match(value):  # noqa: PLR2004 - shorter values are words and counts
        return False
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    marks = any(not mark.isalnum() and mark not in "._-/" for mark in value)
    return letters and (digits or marks)


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
