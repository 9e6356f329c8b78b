"""A clean-up that releases what another holds: two members get one name."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, Succeeded, attempt, do, guard
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Taken:
    """Somebody has the name, or is about to."""


@frozen
class Hold:
    """Hold a name while its member fills in the form."""

    name: str
    member: int


@frozen
class Release:
    """Give a name back."""

    name: str
    member: int


@frozen
class Join:
    """Become a member under a name that one holds."""

    name: str
    member: int


def no_name_is_used_twice(view: View) -> bool:
    """Each name has one member."""
    names = [key.split("/")[0] for key in facts_of(view, "club", "member")]
    return len(names) == len(set(names))


def _world(planted: bool) -> Simulation:
    club = desk_of("club")

    @club.command(access="public")
    def hold(cmd: Hold) -> Doing[None, Taken]:
        rt = yield from club.runtime
        holder = yield from rt.facts.get("held", cmd.name)
        yield from guard(holder in (0, cmd.member), Taken())
        yield from rt.facts.put("held", cmd.name, cmd.member)

    @club.command(access="public")
    def release(cmd: Release) -> Doing[None]:
        rt = yield from club.runtime
        if planted or (yield from rt.facts.get("held", cmd.name)) == cmd.member:
            used = any(key.startswith(f"{cmd.name}/") for key in (yield from rt.facts.all("member")))
            if not used:
                yield from rt.facts.drop("held", cmd.name)

    @club.command(access="public")
    def join(cmd: Join) -> Doing[None]:
        rt = yield from club.runtime
        yield from rt.facts.put("member", f"{cmd.name}/{cmd.member}", 1)

    @do
    def register(name: str, member: int) -> Program[None, Taken | Refused]:
        held = yield from attempt(hold(Hold(name, member)))
        if not isinstance(held, Succeeded):
            yield from release(Release(name, member))
            return
        yield from join(Join(name, member))

    return Simulation(
        app_of(club),
        [Client(who, [register("kim", number)]) for number, who in enumerate(("ann", "bob", "eve"), 1)],
        faults=Faults(crashes=True),
        always=[no_name_is_used_twice],
    )


STRANGER = Stranger(
    title="a clean-up that releases another's hold",
    needs="three clients, the second and third between two commands of the first",
    deviations=1,
    world=_world,
)
