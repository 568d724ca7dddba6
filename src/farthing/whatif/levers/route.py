"""
A route: calls that one program sends for one purpose to one model.

A route is known by its feature tag, else by its prompt's name, else by its project. Calls that have none of them are
one route per model: a rule of a replay chooses calls by tags, so what has no tag cannot be told apart by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from farthing.call import Call

NAMED_BY = ("feature", "prompt", "project")
"""What names a route, the first that is set."""


class Route(NamedTuple):
    """
    One route.

    Attributes:
        by: The dimension that names it; empty where none is set.
        value: Its value.
        model: Id as the responses report it.

    """

    by: str
    value: str
    model: str

    @property
    def where(self) -> dict[str, tuple[str, ...]]:
        """The condition of a replay's rule that holds for exactly these calls."""
        where: dict[str, tuple[str, ...]] = {}
        for name in NAMED_BY:
            if name == self.by:
                where[name] = (self.value,)
                break
            where[name] = ("",)
        where["model"] = (self.model,)
        return where

    @property
    def id(self) -> str:
        """For ids of advice: the same from one run to the next."""
        return f"{self.by}={self.value} model={self.model}" if self.by else f"untagged model={self.model}"

    @property
    def label(self) -> str:
        """For people."""
        return self.value if self.by else f"calls without a tag ({self.model})"


def route_of(call: Call) -> Route:
    """The route of a call."""
    dims = call.dims
    for name in NAMED_BY:
        if value := dims.get(name):
            return Route(name, value, call.served.model)
    return Route("", "", call.served.model)
