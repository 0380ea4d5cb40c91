"""Texts with invented secrets and personal data, and texts that only look like it, for judging the risk detector.

    python benchmarks/classifier/risk_texts.py [FILE.jsonl ...]

The frames and makers here were written after the patterns, and no pattern was changed on what they make, so that the figures are those of
unseen texts; ``risk.jsonl`` beside it is what the patterns were corrected on. Prompts of named outcome files are judged as harmless texts too.
"""

from __future__ import annotations

import gzip
import json
import random
import string
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crew_router.decide.classify.risk import risks_of
from crew_router.types import Domain

Dice = random.Random
HEX: Final = "0123456789abcdef"
ALNUM: Final = string.ascii_letters + string.digits
EACH: Final = 120
SEED: Final = 20_261
FIRST = ("marta", "jonas", "li.wei", "o'connor", "ana-lucia", "sven", "priya", "tomasz", "noor", "émile")
LAST = ("becker", "ruiz", "kowalska", "tanaka", "singh", "rossi", "dubois", "novak", "silva", "haddad")
HOSTS = ("firma-nord.de", "clinic.example.org", "uni.edu", "studio7.io", "banco.com.br", "post.example.fr", "kancelaria.pl", "acme.co.uk")


@dataclass(frozen=True)
class Text:
    """A text, its kind, and the risk that it carries, empty for none."""

    text: str
    kind: str
    risk: str


def some(dice: Dice, alphabet: str, size: int) -> str:
    return "".join(dice.choice(alphabet) for _ in range(size))


def email(dice: Dice) -> str:
    first, last = dice.choice(FIRST).replace("'", ""), dice.choice(LAST)
    local = dice.choice((f"{first}.{last}", f"{first[0]}{last}", f"{last}{dice.randrange(1950, 2010)}", f"{first}+news", f"{last}_{first}"))
    return f"{local}@{dice.choice(HOSTS)}".replace("é", "e")


def luhn_digit(digits: str) -> str:
    total = 0
    for at, mark in enumerate(reversed(digits)):
        doubled = int(mark) * (2 if at % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def card(dice: Dice) -> str:
    start, size = dice.choice(
        (("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14), ("3530", 16))
    )
    body = start + some(dice, string.digits, size - len(start) - 1)
    number = body + luhn_digit(body)
    groups = (4, 6, 5) if size == 15 else (4, 6, 4) if size == 14 else (4, 4, 4, 4)
    cut = [number[sum(groups[:at]) : sum(groups[: at + 1])] for at in range(len(groups))]
    return dice.choice((number, " ".join(cut), "-".join(cut)))


def iban(dice: Dice) -> str:
    country, shape = dice.choice(
        (("DE", "9" * 18), ("AT", "9" * 16), ("GB", "AAAA" + "9" * 14), ("NL", "AAAA" + "9" * 10), ("FR", "9" * 23), ("ES", "9" * 20),
         ("PL", "9" * 24), ("IT", "A" + "9" * 22), ("CH", "9" * 17), ("PT", "9" * 21), ("SE", "9" * 20), ("BE", "9" * 12))
    )  # fmt: skip
    body = "".join(dice.choice(string.digits if mark == "9" else string.ascii_uppercase) for mark in shape)
    check = 98 - int("".join(str(int(mark, 36)) for mark in f"{body}{country}00")) % 97
    number = f"{country}{check:02d}{body}"
    return dice.choice((number, " ".join(number[at : at + 4] for at in range(0, len(number), 4)), number.lower()))


def account(dice: Dice) -> str:
    digits = some(dice, string.digits, dice.randrange(8, 13))
    said = (
        "account number {}",
        "Kontonummer: {}",
        "acct no. {}",
        "cuenta {}",
        "sort code 20-00-00, account {}",
        "konto nr {}",
        "Account #{}",
    )
    return dice.choice(said).format(digits)


def key(dice: Dice) -> str:
    makers: tuple[Callable[[], str], ...] = (
        lambda: "sk-" + some(dice, ALNUM, 48),
        lambda: "sk-proj-" + some(dice, ALNUM + "_-", 60),
        lambda: "sk-ant-api03-" + some(dice, ALNUM + "_-", 80),
        lambda: "AKIA" + some(dice, string.ascii_uppercase + string.digits, 16),
        lambda: "ghp_" + some(dice, ALNUM, 36),
        lambda: "github_pat_" + some(dice, ALNUM, 22) + "_" + some(dice, ALNUM, 59),
        lambda: "xoxb-" + some(dice, string.digits, 12) + "-" + some(dice, ALNUM, 24),
        lambda: "AIza" + some(dice, ALNUM + "_-", 35),
        lambda: "hf_" + some(dice, ALNUM, 34),
        lambda: "glpat-" + some(dice, ALNUM, 20),
        lambda: "SG." + some(dice, ALNUM, 22) + "." + some(dice, ALNUM, 43),
        lambda: "sk_live_" + some(dice, ALNUM, 24),
        lambda: "npm_" + some(dice, ALNUM, 36),
        lambda: "eyJhbGciOiJIUzI1NiJ9." + some(dice, ALNUM, 60) + "." + some(dice, ALNUM + "_-", 43),
    )
    return dice.choice(makers)()


def password(dice: Dice) -> str:
    value = dice.choice(
        (
            some(dice, ALNUM, 12) + "7!",
            f"Summer{dice.randrange(2010, 2027)}#",
            f"{dice.choice(LAST)}-{dice.randrange(100, 999)}-{dice.choice(FIRST)[:3]}",
            some(dice, ALNUM + "!%&", 16) + "3x",
        )
    )
    frames = (
        "my password is {}", "Passwort: {}", "password={}", '"password": "{}"', "contraseña: {}", "postgres://app:{}@db.internal:5432/prod",
        "export DB_PASSWORD='{}'", "client_secret: {}", 'api_key = "{}"', "mot de passe : {}",
    )  # fmt: skip
    return dice.choice(frames).format(value)


SENSITIVE: Final[dict[str, tuple[str, Callable[[Dice], str]]]] = {
    "email": ("pii", email), "card": ("pii", card), "iban": ("pii", iban), "account": ("pii", account),
    "key": ("secrets", key), "password": ("secrets", password),
}  # fmt: skip
FRAMES: Final = (
    "{}", "Please update the record: {}", "Can you check whether {} is still valid?", "Kunde meldet: {} — bitte prüfen.",
    '{{"id": 7, "value": "{}", "ok": true}}', "- name: Jo\n  value: {}\n  region: eu\n", "| 12 | {} | open |", "She wrote: «{}», then left.",
    "Le client a donné {} hier.", "Summarise this ticket:\n> Hi, it is {}.\n> Thanks", "row 4: {}; row 5: none", "INSERT INTO t VALUES (1, '{}');",
    "2026-03-01 10:00:01 INFO got {} from form", "Translate into Polish: 'I sent {} to them.'", 'x = "{}"  # remove before commit',
    "Hola, te paso {} para el contrato.", "Draft a reply. They gave us {} and want a refund by Friday.",
)  # fmt: skip


def harmless(dice: Dice) -> tuple[str, str]:
    """Return a kind and a text that carries nothing."""
    digits = some(dice, string.digits, 16)
    makers: dict[str, Callable[[], str]] = {
        "order": lambda: dice.choice(("order {}", "invoice no {}", "Bestellung {}", "tracking 1Z{}")).format(some(dice, string.digits, dice.randrange(6, 13))),
        "no card": lambda: f"serial {digits[:-1]}{(int(luhn_digit(digits[:-1])) + 1) % 10}",
        "hash": lambda: dice.choice(("commit {}", "md5 {}", "image sha256:{}")).format(some(dice, HEX, dice.choice((32, 40, 64)))),
        "uuid": lambda: "-".join(some(dice, HEX, size) for size in (8, 4, 4, 4, 12)),
        "package": lambda: dice.choice(("npm install react@18.{}.0", "actions/checkout@v{}", "lodash@^4.17.{}", "git@github.com:acme/repo{}.git")).format(dice.randrange(9)),
        "handle": lambda: dice.choice(("thanks @{}!", "@app.route('/{}')", "logo@2x.png and {}@3x.png", "@{} please review")).format(dice.choice(LAST)),
        "address": lambda: f"ping 10.{dice.randrange(255)}.{dice.randrange(255)}.{dice.randrange(1, 255)}:80{dice.randrange(10, 99)}",
        "placeholder": lambda: dice.choice(
            ("password: ${DB_PASSWORD}", "api_key = os.environ['API_KEY']", "token=<your token>", "PASSWORD=changeme.", "Authorization: Bearer $TOKEN",
             "password: str | None = None", "secret: string;", "api_key=settings.api_key")
        ),
        "talk": lambda: dice.choice(
            ("the token limit is 4096 tokens", "a key insight of chapter 12", "my password does not work any more", "the secret of a good crust",
             "our bank account has a fee of 4.90", "credit cards are accepted", "which IBAN countries use 27 characters?", "forgot the passcode, what now")
        ),
        "figures": lambda: f"{dice.randrange(10**6, 10**9):,} people, {dice.random() * 1e4:.4f} kg, {dice.randrange(10, 99)} %",
        "time": lambda: f"2026-0{dice.randrange(1, 9)}-1{dice.randrange(9)}T0{dice.randrange(9)}:15:{dice.randrange(10, 59)}.{some(dice, string.digits, 6)}Z",
        "number": lambda: f"compute {some(dice, string.digits, 9)} * {some(dice, string.digits, 7)} mod 97",
    }  # fmt: skip
    kind = dice.choice(sorted(makers))
    return kind, makers[kind]()


def texts(seed: int = SEED) -> Iterator[Text]:
    """Yield the sensitive texts of each kind, and as many harmless ones in the same frames."""
    dice = Dice(seed)
    for kind, (risk, make) in SENSITIVE.items():
        for _ in range(EACH):
            yield Text(dice.choice(FRAMES).format(make(dice)), kind, risk)
    for _ in range(EACH * len(SENSITIVE)):
        kind, value = harmless(dice)
        yield Text(dice.choice(FRAMES).format(value), kind, "")


def main() -> None:
    """Print recall by kind and the share of false alarms."""
    seen: dict[str, list[bool]] = defaultdict(list)
    for each in texts():
        found = {str(risk) for risk in risks_of(each.text, Domain.GENERAL)}
        right = each.risk in found if each.risk else not found
        seen[f"{each.risk or 'none'}, {each.kind}"].append(right)
        seen[f"all {'sensitive' if each.risk else 'harmless'}"].append(right)
        if not right and "-v" in sys.argv:
            print(f"  missed {each}, found {sorted(found)}")
    for name, right in sorted(seen.items()):
        print(f"{name:24} {len(right):>5} right {sum(right) / len(right):.3f}")
    for name in (argument for argument in sys.argv[1:] if argument != "-v"):
        with gzip.open(name, "rt") if name.endswith(".gz") else Path(name).open(encoding="utf-8") as lines:
            prompts = [json.loads(line)["prompt"] for line in lines]
        wrong = [prompt for prompt in prompts if risks_of(prompt, Domain.GENERAL)]
        print(f"{Path(name).name:24} {len(prompts):>5} alarms {len(wrong) / len(prompts):.4f}")


if __name__ == "__main__":
    main()
