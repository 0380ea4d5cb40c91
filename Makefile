# Every target makes the environment that it needs, once. With VENV=path an environment of yours is used as it is.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
VENV_MCP ?= .venv-mcp
VENV_LANGCHAIN ?= .venv-langchain
VENV_DEMO ?= .venv-demo
PY = $(VENV)/bin/python
PACKAGES := crew_router adapters mcp_server
SOURCES = $(PACKAGES) tests .ci $(wildcard benchmarks/*.py examples/*.py)
MCP_TESTS := tests/integration/mcp
LANGCHAIN_TESTS := tests/integration/langchain
# They speak through the clients of every provider, and ask for efforts that the lowest clients do not know: with the newest only.
NEWEST_ONLY := $(addprefix --ignore=tests/integration/langchain/,test_crossing.py test_effort.py test_money_and_waiting.py test_parameters.py test_vendor_errors.py)

# The checkout in front of whatever an environment of yours has installed.
export PYTHONPATH := .:adapters:mcp_server
# Compiled modules are kept whatever the shell says: without them every process compiles pytest, pydantic and LangChain anew.
export PYTHONDONTWRITEBYTECODE :=
# Tests run in two processes and multiply small matrices: threads of the linear algebra only get in each other's way.
export OPENBLAS_NUM_THREADS := 1

ifeq ($(origin VENV),command line)
environment:
else
environment:
	@$(PYTHON) .ci/environment.py $(VENV) --extras dev --constraints constraints.txt
endif

.PHONY: help install demo check test test-mcp test-langchain lint type mypy pyright unit bench docs lock clean schema environment environment-mcp environment-langchain train-classifier

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

install: environment ## Make .venv with everything a developer wants

demo: ## Install into an environment of its own and run the main job
	@$(PYTHON) .ci/environment.py $(VENV_DEMO)
	@env -u PYTHONPATH $(VENV_DEMO)/bin/crew-router demo

check: environment ## Lint, types and unit tests, sockets off; under a minute
	@$(MAKE) --no-print-directory -j 2 --output-sync=target unit pyright mypy lint

# Three processes on two cores: many tests wait for servers and for processes of their own.
test: environment environment-mcp environment-langchain ## The whole suite, the MCP server once more with the newest fastmcp, the chat model with the lowest LangChain
	$(PY) -m pytest tests -q -n 3 --dist loadfile
	@$(MAKE) --no-print-directory -j 2 --output-sync=target test-mcp test-langchain

test-mcp: environment-mcp
	$(VENV_MCP)/bin/python -m pytest $(MCP_TESTS) -q

test-langchain: environment-langchain
	$(VENV_LANGCHAIN)/bin/python -m pytest $(LANGCHAIN_TESTS) $(NEWEST_ONLY) -q -n 2 --dist loadfile

environment-mcp:
	@$(PYTHON) .ci/environment.py $(VENV_MCP) --extras mcp,tests --constraints constraints-mcp.txt

environment-langchain:
	@$(PYTHON) .ci/environment.py $(VENV_LANGCHAIN) --extras tests-langchain --constraints constraints-langchain.txt

lint: environment ## ruff, import-linter, codespell, validate-pyproject
	$(VENV)/bin/ruff check --quiet $(SOURCES)
	@$(VENV)/bin/lint-imports > .import-linter.log || { cat .import-linter.log; exit 1; }
	$(VENV)/bin/codespell $(SOURCES) docs config README.md AGENTS.md CHANGELOG.md
	@$(PY) -m validate_pyproject pyproject.toml > .validate.log || { cat .validate.log; exit 1; }

type: mypy pyright ## mypy and pyright, both strict

mypy: environment
	$(PY) -m mypy

pyright: environment
	$(PY) -m pyright --pythonpath $(PY)

# In one process: beside it the types are checked, and a second one would read every test file once more.
unit: environment
	$(PY) -m pytest tests/unit -q -x --disable-socket --allow-unix-socket --timeout=30

bench: environment ## Measure what DESIGN promises, as ratios in one run
	@for script in benchmarks/*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

schema: environment ## Write the JSON Schemas that editors check configuration files against
	$(PY) -c "import pathlib; from crew_router.config import editor_schemas; editor_schemas.write(pathlib.Path('config/schema'))"

train-classifier: environment ## Train the classifier's weights from the prompts in benchmarks/classifier, three minutes
	$(PY) benchmarks/classifier/train.py
	$(PY) benchmarks/classifier/difficulty.py
	$(PY) benchmarks/classifier/difficulty_figures.py

docs: environment ## Check links and run the examples of the documents
	$(PY) -m pytest tests/docs -q

lock: environment ## Resolve the constraints again; UPGRADE=1 takes the newest of everything
	$(PY) .ci/lock.py $(if $(UPGRADE),--upgrade)

clean: ## Remove environments, caches and everything built
	rm -rf .venv .venv-mcp .venv-langchain .venv-demo build dist demo-output crew-router-demo.svg .coverage htmlcov .import-linter.log .validate.log
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
