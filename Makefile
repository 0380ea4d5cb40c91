VENV ?= .venv
PY := $(VENV)/bin/python
export PYTHONPATH := .:adapters:mcp_server
.PHONY: check lint type
check: lint type ## Lint, types and unit tests, sockets off
	@if [ -d tests/unit ]; then $(PY) -m pytest tests/unit -q -x --disable-socket --timeout=30; fi
lint: ## ruff
	$(VENV)/bin/ruff check crew_router adapters mcp_server
type: ## mypy and pyright, both strict
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)
