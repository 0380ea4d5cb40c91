"""What an agent's answers would have cost on the model that it names itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from crew_router.errors import UnknownModelError
from crew_router.types import ModelDefinition

if TYPE_CHECKING:
    from crew_router.router.router import Router
    from crew_router.types import RoutedResponse


@dataclass(slots=True)
class Savings:
    """The sum over answers whose usage and cost are known."""

    baseline: ModelDefinition | None = None
    _usd: float = 0.0

    @classmethod
    def against(cls, model: str | None, router: Router) -> Self:
        """Return an empty sum.

        Raises:
            UnknownModelError: The registry has no such model.
        """
        found = None if model is None else next((each for each in router.models if model in {each.ref, each.ref.name}), None)
        if model is not None and found is None:
            raise UnknownModelError(model)
        return cls(found)

    @property
    def usd(self) -> float | None:
        """The sum in USD."""
        return None if self.baseline is None or self.baseline.price is None else self._usd

    def add(self, response: RoutedResponse) -> None:
        """Take an answer: its tokens at the baseline's price, less what all its attempts cost."""
        if self.baseline is None or self.baseline.price is None or response.usage is None or response.cost_usd is None:
            return
        usage = response.usage
        self._usd += self.baseline.price.cost_usd(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens) - response.cost_usd
