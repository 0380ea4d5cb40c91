"""Finding personal data, secrets and regulated subjects by pattern and checksum (requirements D1, D3)."""

from __future__ import annotations

import re
from typing import Final

from crew_router.types import Domain, Risk

_SECRET: Final = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"
)
_EMAIL: Final = re.compile(r"\b[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b")
_CARD: Final = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_LUHN_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IBAN_MODULUS: Final = 97
_REGULATED: Final = frozenset({Domain.LAW, Domain.MEDICINE})


def risks_of(text: str, domain: Domain) -> frozenset[Risk]:
    """Return what makes a text sensitive."""
    found: set[Risk] = set()
    if _SECRET.search(text):
        found.add(Risk.SECRETS)
    if _EMAIL.search(text) or _has_card(text) or _has_iban(text):
        found.add(Risk.PII)
    if domain in _REGULATED:
        found.add(Risk.REGULATED)
    return frozenset(found)


def luhn_ok(digits: str) -> bool:
    """Tell whether a card number's check digit fits (ISO/IEC 7812-1)."""
    values = [int(mark) for mark in reversed(digits)]
    return sum(value if at % 2 == 0 else _LUHN_DOUBLED[value] for at, value in enumerate(values)) % 10 == 0


def iban_ok(text: str) -> bool:
    """Tell whether an account number's check digits fit (ISO 13616, modulus 97)."""
    plain = text.replace(" ", "").upper()
    return int("".join(str(int(mark, 36)) for mark in plain[4:] + plain[:4])) % _IBAN_MODULUS == 1


def _has_card(text: str) -> bool:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(set(digits)) > 1 and luhn_ok(digits):
            return True
    return False


def _has_iban(text: str) -> bool:
    return any(iban_ok(match.group()) for match in _IBAN.finditer(text))
