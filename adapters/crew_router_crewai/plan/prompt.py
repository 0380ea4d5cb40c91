"""The prompt of a task's first call, from CrewAI's own pieces: it is counted, not estimated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from crewai.utilities.i18n import I18N_DEFAULT

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)\}")


def filled(text: object, inputs: Mapping[str, Any]) -> str:
    """Return a text with its placeholders replaced, as CrewAI replaces them; what is not given stays."""
    return _PLACEHOLDER.sub(lambda found: str(inputs.get(found[1], found[0])), str(text or ""))


def missing(text: object, inputs: Mapping[str, Any]) -> set[str]:
    """Return the placeholders that no input fills."""
    return set(_PLACEHOLDER.findall(str(text or ""))) - set(inputs)


def rendered(agent: Mapping[str, Any], task: Mapping[str, Any], inputs: Mapping[str, Any], *, tools: bool) -> tuple[dict[str, str], ...]:
    """Return the messages of the first call, for models that call tools natively."""
    system = I18N_DEFAULT.slice("role_playing").format(
        role=filled(agent.get("role"), inputs).strip(),
        goal=filled(agent.get("goal"), inputs),
        backstory=filled(agent.get("backstory"), inputs),
    )
    expected = I18N_DEFAULT.slice("expected_output").format(expected_output=filled(task.get("expected_output"), inputs))
    asked = f"{filled(task.get('description'), inputs)}\n{expected}"
    user = I18N_DEFAULT.slice("native_task" if tools else "task_no_tools").format(input=asked)
    return ({"role": "system", "content": system}, {"role": "user", "content": user})
