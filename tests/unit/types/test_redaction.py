"""Secrets are taken out of every text that leaves the process or is kept, in time that grows with its length only."""

import json
import logging
import time
import traceback

import pytest

from crew_router import ModelDefinition, ModelRef, Router
from crew_router.errors import AllModelsFailedError, ConfigurationError, StorageError
from crew_router.testing import ScriptedModel
from crew_router.types.redaction import disarm, logger, redacted, redacted_json, remember, remember_environment, remember_url

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
OWN_KEY = "zq81-own-key-of-the-entry"
PLANTED = {
    "url": ("cannot reach postgresql://crew:s3cr3t-pass@db.lab/x", "s3cr3t-pass"),
    "url without user": ("redis://:hunter2@cache.lab:6379/0 refused", "hunter2"),
    "url with an at sign": ("https://me:p@ss.word9@host.lab/v1", "p@ss.word9"),
    "url with a token": ("https://abcdef1234567890abcdef@git.lab/x", "abcdef1234567890abcdef"),
    "jwt": (f"invalid token {JWT} (expired)", JWT),
    "aws": ("key AKIAIOSFODNN7EXAMPLE was revoked", "AKIAIOSFODNN7EXAMPLE"),
    "aws secret": ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfi", "wJalrXUtnFEMI/K7MDENG/bPxRfi"),
    "basic": ("sent Basic dXNlcjpwYXNzd29yZA== and was refused", "dXNlcjpwYXNzd29yZA=="),
    "header": ("headers {'Authorization': 'Basic zzzzzz'}", "zzzzzz"),
    "bearer": ("Bearer abcdefgh is not known", "abcdefgh"),
    "bearer behind a name": ("token: Bearer abcdefgh", "abcdefgh"),
    "secret": ("client_secret=correct-horse rejected", "correct-horse"),
    "secret in quotes": ("secret: 'correct horse battery'", "horse battery"),
    "json": ('{"password": "two words", "x": 1}', "two words"),
    "query": ("GET https://api.lab/v1?key=plainkey&x=1", "plainkey"),
    "header key": ("x-api-key: plainvalue1", "plainvalue1"),
    "sk": ("Incorrect API key provided: sk-proj-AbC123dEf456gHi", "AbC123dEf456gHi"),
    "google": ("AIzaSyA1234567890abcdefg is not valid", "AIzaSyA1234567890abcdefg"),
    "pem": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----", "MIIEow"),
}
PLAIN = [
    "Basic authentication failed",
    "the bearer token is missing",
    "max_tokens=500 exceeds 100",
    "Incorrect API key provided",
    "POST https://api.openai.com/v1/chat/completions 404",
    "the token limit is 5",
    "KeyError: 'choices'",
    "model sk_learn_pipeline is not known",
]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_looks_like_a_secret_is_taken_out(kind):
    """Nothing of the secret is left, a second pass changes nothing, and the words around it stay."""
    text, secret = PLANTED[kind]

    clean = redacted(text)

    assert secret not in clean
    assert "[redacted]" in clean
    assert redacted(clean) == clean


@pytest.mark.parametrize("text", PLAIN)
def test_words_that_only_speak_of_secrets_stay(text):
    """A message that holds none is not changed."""
    assert redacted(text) == text


def test_configured_secrets_are_known_literally():
    """A key of no known shape is taken out, as it is, in an address and as ``Basic`` has it; names of dummies are words."""
    remember(["odd key/of+ours", "ollama", None])
    remember_url("http://anna:blue%20sky9@models.lab/v1")
    remember_environment({"LAB_API_KEY": "environment-held", "HOME": "/home/anna"})

    assert redacted("it said odd key/of+ours") == "it said [redacted]"
    assert redacted("it said odd%20key%2Fof%2Bours") == "it said [redacted]"
    assert redacted("it said blue sky9, YW5uYTpibHVlIHNreTk=") == "it said [redacted], [redacted]"
    assert redacted("environment-held") == "[redacted]"
    assert redacted("ollama in /home/anna") == "ollama in /home/anna"


def test_json_stays_json():
    """Values are cleaned by their name and by their shape, whatever surrounds them."""
    text = json.dumps({"note": "Bearer abcdefgh", "password": "x y", "list": ["redis://:hunter2@h/0"], "n": 1})

    clean = {"note": "Bearer [redacted]", "password": "[redacted]", "list": ["redis://:[redacted]@h/0"], "n": 1}
    assert json.loads(redacted_json(text)) == clean
    assert redacted_json('{"a":  1}') == '{"a":  1}'


UNITS = ["a", "://", "://a:", "eyJ", "-eyJ-", "sk-", "password=", "bearer ", " basic A", "authorization:", "?key=", '"pwd": "']


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_texts_take_time_in_proportion(unit):
    """Eight times the text takes less than thirty times the processor time."""
    took = [min(_processor_s(unit, length) for _ in range(3)) for length in (25_000, 200_000)]

    assert took[1] < max(30 * took[0], 0.05)


def _processor_s(unit, length):
    text = (unit * (length // len(unit) + 1))[:length]
    begun = time.process_time()
    redacted(text)
    return time.process_time() - begun


class OddError(Exception):
    """An exception that keeps its words where nobody can change them."""

    def __str__(self):
        """Say the same always."""
        return "sent Basic dXNlcjpwYXNzd29yZA=="


def fail(words):
    """Fail as a client library does, for a reason that failed before."""
    try:
        int("x")
    except ValueError as why:
        cause = OddError().with_traceback(why.__traceback__)
        raise RuntimeError(words, {"status": 1}) from cause


def test_an_exception_of_a_provider_and_its_causes_say_no_secret():
    """Its traceback is clean, its class stays where it can, and the place where it was raised is still in it."""
    try:
        fail(PLANTED["secret"][0])
    except RuntimeError as error:
        clean = disarm(error)

    shown = "".join(traceback.format_exception(clean))
    assert isinstance(clean, RuntimeError)
    assert "correct-horse" not in shown
    assert "dXNlcjpwYXNzd29yZA==" not in shown
    assert 'int("x")' in shown


def test_log_records_are_clean(caplog):
    """Words, arguments and the traceback of a record are cleaned before a handler sees them."""
    log = logger("crew_router.test")
    try:
        fail(PLANTED["url without user"][0])
    except RuntimeError:
        log.exception("it failed for %s", "Bearer abcdefgh")

    assert "hunter2" not in caplog.text
    assert "abcdefgh" not in caplog.text
    assert "Traceback" in caplog.text


def test_our_own_errors_say_no_secret():
    """Whatever an error is made of, its text is clean."""
    errors = [
        ConfigurationError("crew_router.yaml", "state.url", "'redis://:hunter2@h/0' is no address", cure="write another"),
        StorageError("postgresql://h/x", "password=hunter2 refused", cure="check it"),
    ]

    assert all("hunter2" not in str(error) for error in errors)


def test_models_and_settings_show_no_password():
    """``repr`` of an entry and of the configuration tell where a server is, and not with which password."""
    entry = {"lab:a": {"base_url": "http://anna:s3cr3t-pass@models.lab/v1", "api_key": OWN_KEY, "price": {"input": 1, "output": 2}}}
    config = {"registry": "none", "models": entry, "state": {"url": "redis://:s3cr3t-pass@127.0.0.1:1/0"}, "ledger": {"url": "sqlite://"}}

    shown = repr(ModelDefinition(ModelRef("lab:a"), provider="lab", model="a", base_url="http://anna:s3cr3t-pass@models.lab/v1"))

    assert "models.lab" in shown
    assert "s3cr3t-pass" not in shown
    assert "s3cr3t-pass" not in repr(config_of(config))
    assert OWN_KEY not in repr(config_of(config))


def config_of(config):
    """Return a loaded configuration."""
    from crew_router.config.load import load_config

    return load_config(config, env={})


@pytest.mark.parametrize("keep_text", [False, True])
def test_a_providers_words_reach_nobody_with_a_secret_in_them(tmp_path, caplog, keep_text):
    """No planted secret is in the ledger's file, its export, its mirror, the attempts, the error, its traceback or the log."""
    caplog.set_level(logging.DEBUG)
    texts = [text for text, _ in PLANTED.values()]
    remember([OWN_KEY])
    said = RuntimeError(f"{' | '.join(texts)} | the key {OWN_KEY} is wrong")
    config = {"ledger": {"url": f"sqlite:///{tmp_path}/l.db", "keep_text": keep_text}, "analytics": {"jsonl": f"{tmp_path}/mirror.jsonl"}}
    with Router({**config, "state": {"url": "memory://"}}, models={"lab:a": ScriptedModel(faults=said)}, project="crew") as router:
        with pytest.raises(AllModelsFailedError) as caught:
            router.invoke(f"My words: {texts[0]}")
        attempts = caught.value.attempts
        router.export(tmp_path / "export.jsonl")

    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    told = "".join(traceback.format_exception(caught.value)) + repr(attempts) + caplog.text + str(said)
    secrets = [*(secret for _, secret in PLANTED.values()), OWN_KEY]
    assert attempts
    assert b"[redacted]" in kept
    assert [secret for secret in secrets if secret.encode() in kept] == []
    assert [secret for secret in secrets if secret in told] == []
