"""Answers of tools that run, report and order."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from crew_router_mcp.answers.decisions import Called
from crew_router_mcp.answers.figures import Figure

Status = Literal["done", "needs_approval", "declined"]


class Pending(BaseModel):
    """What a person has to agree to first."""

    reason: str = Field(description="Why a person is asked")
    question: str = Field(description="What to show to the person")
    confirmation_token: str | None = Field(
        description="Pass it with the same arguments once the person has agreed; it works once and for ten minutes"
    )


class Answered(BaseModel):
    """The answer of a model, or what a person has to agree to first."""

    status: Status
    text: str | None = Field(description="The answer; null unless status is done")
    model: str | None = Field(description="The model that answered, or would")
    decision_id: str | None
    cost_usd: Figure = Field(description="Price of all calls together; null when one is unknown")
    calls: list[Called]
    pending: Pending | None = Field(description="Only with status needs_approval")


class Ordered(BaseModel):
    """What an override came to."""

    status: Status
    pin: str | None = Field(description="The model that answers first")
    cost_ceiling_usd: Figure
    until_s: Figure = Field(description="End of the order, seconds since the epoch; null until it is cleared")
    pending: Pending | None = Field(description="Only with status needs_approval")


class CrewTask(BaseModel):
    """One task of a crew."""

    task: str
    who: str = Field(description="The model, with a reasoning effort where there is one")
    cost_usd: Figure = Field(description="Expected for a plan, actual for a run")


class CrewPlan(BaseModel):
    """Who would do which task of a crew, and what the run would cost; nothing is called."""

    crew: str
    tasks: list[CrewTask]
    cost_usd: Figure = Field(description="Expected price of the run")
    latency_s: Figure = Field(description="Expected seconds of the run")
    notes: list[str]


class CrewRun(BaseModel):
    """What the run of a crew came to."""

    status: Status
    crew: str
    output: str | None = Field(description="What the crew answered; null unless status is done")
    tasks: list[CrewTask]
    cost_usd: Figure
    pending: Pending | None = Field(description="Only with status needs_approval")


class Taken(BaseModel):
    """What was reported is in the ledger."""

    recorded: bool
    decision_id: str | None
    model: str | None
    reward: Figure = Field(description="The reward, 0 to 1, that feedback came to; null for outcomes")


class BudgetLine(BaseModel):
    """One budget."""

    budget: str = Field(description="day, project, provider:NAME, or run:ID, session:ID, user:ID")
    limit_usd: Figure = Field(description="null when there is no such limit")
    per: str | None = Field(description="hour, day, week, month or total")
    remaining_usd: Figure = Field(description="USD that are left; null when there is no limit, or one for each run, session or user")


class Budgets(BaseModel):
    """The configured budgets and what they have left."""

    budgets: list[BudgetLine]


class Statistics(BaseModel):
    """What requests came to."""

    project: str
    hours: Figure = Field(description="How far back the figures go; null for all since the last reset")
    requests: int
    success_rate: Figure = Field(description="0 to 1; null without requests")
    escalations: int
    cost_usd: Figure
    mean_latency_s: Figure
    models: int = Field(description="Models in the registry")
    policy_version: str = Field(description="Changes when models, rules or the strategy do")
