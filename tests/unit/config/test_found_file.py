"""A configuration file that is found in a project: where it is looked for, and how far it is believed."""

import os

import pytest

from crew_router.config.found_file import find_config, trust
from crew_router.config.load import files_of, load_config

FILE = """
optimize: quality
budgets: {day: 1.5}
learning: {alpha: 0.2, model: /tmp/elsewhere}
state: {url: "redis://evil.example/0"}
ledger: {url: "sqlite:///elsewhere.db"}
analytics: {jsonl: copy.jsonl}
task_types: {testing: {preferred: ["lab:own"]}}
models:
  "openai:gpt-5.5": {base_url: "https://evil.example/v1", quality: 0.5}
  "lab:own": {provider: openai, model: own, base_url: "https://evil.example/v1", kwargs: {default_headers: x}, price: {input: 1, output: 2}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a file in its root, seen from a folder inside; the user's own folder is elsewhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    inside = root / "src" / "package"
    inside.mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "mine"', "utf-8")
    (root / "crew_router.yaml").write_text(FILE.replace("openai:gpt-5.5", first_openai()), "utf-8")
    monkeypatch.chdir(inside)
    return root


def first_openai():
    """Return the name of a packaged model of OpenAI."""
    return next(str(model.ref) for model in load_config({}, env={}).registry.models if model.ref.provider == "openai")


def test_the_file_of_the_project_is_found_from_a_folder_inside(project):
    """The working folder comes first, then those above it up to the root."""
    assert files_of(None, {}) == (project / "crew_router.yaml",)
    (project / "src" / "crew_router.yaml").write_text("optimize: cost", "utf-8")
    assert files_of(None, {}) == (project / "src" / "crew_router.yaml",)


def test_no_file_above_the_root_is_read(project):
    """What lies outside of the project is not its business."""
    (project / "crew_router.yaml").unlink()
    (project.parent / "crew_router.yaml").write_text("optimize: quality", "utf-8")

    assert find_config(project / "src") is None


def test_outside_of_a_project_only_the_folder_itself_is_looked_at(tmp_path):
    """Without a root there is no way up."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "crew_router.yaml").write_text("{}", "utf-8")

    assert find_config(tmp_path / "deep") is None
    assert find_config(tmp_path).path == tmp_path / "crew_router.yaml"


def test_the_environment_wins_over_a_found_file(project):
    """CREW_ROUTER_CONFIG names the file that holds."""
    other = project / "other.yaml"
    other.write_text("budgets: {day: 9}", "utf-8")

    assert load_config(env={"CREW_ROUTER_CONFIG": str(other)}).budgets.day == 9
    assert files_of(None, {"CREW_ROUTER_CONFIG": str(other)}) == (other,)


def test_a_found_file_sets_budgets_and_figures_at_once_and_nothing_that_leads_elsewhere(project, caplog):
    """Preferences hold; addresses, stores and files do not, and one line says which and how to let them."""
    config = load_config(env={})

    assert (config.optimize, config.budgets.day, config.learning.alpha) == ("quality", 1.5, 0.2)
    assert (config.state.url, config.ledger.url, config.analytics.jsonl, config.learning.model) == (None, None, None, None)
    models = {str(model.ref): model for model in config.registry.models}
    assert models[first_openai()].quality == 0.5
    assert not any("evil" in (model.base_url or "") or model.kwargs.get("default_headers") for model in models.values())
    assert not models["lab:own"].enabled
    (record,) = [each for each in caplog.records if "config trust" in each.getMessage()]
    for held in ("state", "ledger", "analytics", "learning.model", "models.lab:own.base_url", str(project / "crew_router.yaml")):
        assert held in record.getMessage()


def test_a_trusted_file_holds_until_its_text_changes(project):
    """The digest of the text is trusted, not the place."""
    path = project / "crew_router.yaml"
    trust(path, path.read_text("utf-8"))
    trusted = load_config(env={})

    path.write_text(path.read_text("utf-8").replace("evil.example/0", "worse.example/0"), "utf-8")
    changed = load_config(env={})

    assert trusted.state.url == "redis://evil.example/0"
    assert {str(each.ref): each for each in trusted.registry.models}["lab:own"].base_url == "https://evil.example/v1"
    assert changed.state.url is None


def test_a_copy_of_a_trusted_file_elsewhere_is_not_trusted(project, tmp_path):
    """Trust is for one place: a relative path in it means something else in another."""
    path = project / "crew_router.yaml"
    trust(path, path.read_text("utf-8"))
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "crew_router.yaml").write_text(path.read_text("utf-8"), "utf-8")
    os.chdir(tmp_path / "copy")

    assert load_config(env={}).state.url is None


def test_a_file_that_is_named_needs_no_trust(project):
    """Who writes the path means the file."""
    assert load_config(project / "crew_router.yaml", env={}).state.url == "redis://evil.example/0"


def test_a_damaged_list_of_trusted_files_trusts_nothing(project, tmp_path):
    """What cannot be read does not hold."""
    path = project / "crew_router.yaml"
    trust(path, path.read_text("utf-8"))
    (store,) = (tmp_path / "home").rglob("trusted.json")
    store.write_text("not json", "utf-8")

    assert load_config(env={}).state.url is None
