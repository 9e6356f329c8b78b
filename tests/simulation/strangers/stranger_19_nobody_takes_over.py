"""Only one job: who claims it and dies has it for ever, and the report is never sent."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import DomainEvent, Refused, do, emit
from effect_runtime.dispatch import EventQueue, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, NoAnswer, Program, Provider, Stranger, app_of, desk_of, facts_of


@frozen
@stored("strangers-19.claimed")
class JobClaimedOccurred(DomainEvent):
    """Somebody has taken today's job."""


@frozen
class Claim:
    """Take today's job, if nobody has."""


@frozen
class Send:
    """Send today's report."""


def _world(planted: bool) -> Simulation:
    office = Provider()
    ops = desk_of("ops")
    jobs = EventQueue("jobs")

    @ops.command(access="public")
    def claim(cmd: Claim) -> Doing[bool]:
        rt = yield from ops.runtime
        is_mine = (yield from rt.facts.add("job", "today", 1)) == 1
        if is_mine and not planted:
            yield from emit(JobClaimedOccurred())
        return is_mine

    @ops.command(access="public")
    def send(cmd: Send) -> Doing[None, NoAnswer]:
        rt = yield from ops.runtime
        yield from rt.provider.ask("report", key="today")

    @ops.after_commit(JobClaimedOccurred, queue=jobs)
    def send_later(event: JobClaimedOccurred) -> Doing[None, NoAnswer]:
        rt = yield from ops.runtime
        yield from rt.provider.ask("report", key="today")

    @do
    def work() -> Program[None, NoAnswer | Refused]:
        if (yield from claim(Claim())) and planted:
            yield from send(Send())

    def what_is_claimed_is_done(view: View) -> bool:
        return len(office.done) == len(facts_of(view, "ops", "job"))

    return Simulation(
        app_of(ops, provider=office),
        [Client("one", [work()]), Client("two", [work()])],
        processes={"ops-1": ["ops"], "ops-2": ["ops"]},
        parties=[office],
        faults=Faults(crashes=True),
        eventually=[what_is_claimed_is_done],
    )


STRANGER = Stranger(
    title="a job that nobody takes over",
    needs="a crash between the claim and the work",
    deviations=1,
    world=_world,
)
