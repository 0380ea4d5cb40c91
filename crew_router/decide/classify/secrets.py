"""Secrets by the formats of their issuers, and by being assigned to a name that says so."""

from __future__ import annotations

import re
from typing import Final

from crew_router.decide.classify.surroundings import Haystack, Marks

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
