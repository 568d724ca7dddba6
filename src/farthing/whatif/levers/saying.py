"""Words and figures that every finder uses, so that advice reads as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing import money

if TYPE_CHECKING:
    from farthing.whatif.levers.route import Route
    from farthing.whatif.levers.traffic import Traffic


def usd(pusd: float) -> str:
    """An amount for people: cents, or more places below a cent."""
    places = 2 if abs(pusd) >= 10**10 or not pusd else 4
    return f"${money.display(round(pusd), places)}"


def usd_a_day(traffic: Traffic, pusd: float) -> str:
    """What an amount over the whole time comes to per day."""
    return f"{usd(pusd / traffic.days)} a day"


def percent(part: float, whole: float) -> str:
    """A share for people."""
    if not whole:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.0f} %" if 10 <= share <= 99 or share in {0, 1, 100} else f"{share:.1f} %"


def policy(route: Route, **levers: object) -> dict[str, object]:
    """A table of the gateway's policy: for which calls, and what is turned for them."""
    return {"where": {name: list(values) for name, values in route.where.items()}, **levers}
