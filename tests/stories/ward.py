"""A hospital ward that tells a bed-management system, by a webhook, which bed is free.

Two contexts: `ward` discharges patients and frees their beds in one transaction, `notices` calls the webhook. What a
discharge announces is a pure side-car: a function that yields events and knows no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Never, NewType, Protocol, TypeAlias

from attrs import field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import (
    A,
    App,
    Context,
    Do,
    DomainEvent,
    E,
    Eff,
    Events,
    Outbox,
    ReadTransaction,
    Refused,
    Schedule,
    Topic,
    Transaction,
    announce,
    integration_event,
    operation,
)
from effect_runtime.outbox.sqlite import Migration, SqliteReadSession, SqliteSession, SqliteStore
from effect_runtime.runtime import Clock
from effect_runtime.transports import InProcess

PatientId = NewType("PatientId", str)
BedId = NewType("BedId", str)
WardId = NewType("WardId", str)


class WardEvents(Topic, name="ward"):
    """What the ward tells the world."""

    __slots__ = ()


@frozen
@integration_event("ward.bed-released", key="bed_id")
class BedReleasedEvent(WardEvents):
    """A bed is free."""

    bed_id: BedId
    ward_id: WardId
    released_at: datetime


@frozen
class Patient:
    """Somebody in a bed."""

    id: PatientId
    bed_id: BedId
    ward_id: WardId


@frozen
class PatientUnknown:
    """No such patient lies here."""

    patient_id: PatientId


@frozen
class BedNotOccupied:
    """The bed that was to be freed is free already: the books of the ward are wrong."""

    bed_id: BedId


@frozen
class PatientDischargedOccurred(DomainEvent[BedNotOccupied]):
    """A patient goes home; the bed is freed in the same transaction, or the patient stays."""

    patient: Patient


def discharge(patient: Patient, now: datetime) -> Iterator[PatientDischargedOccurred | BedReleasedEvent]:
    """Yield all that a discharge announces, inside and outside."""
    yield PatientDischargedOccurred(patient)
    yield BedReleasedEvent(patient.bed_id, patient.ward_id, now)


class Patients(Protocol):
    """Who lies in which bed."""

    def get(self, patient_id: PatientId) -> Eff[Patient, PatientUnknown]:
        """Read one patient."""
        ...

    def remove(self, patient_id: PatientId) -> Eff[None]:
        """Forget a patient."""
        ...


class Beds(Protocol):
    """Which beds are taken."""

    def free(self, bed_id: BedId) -> Eff[None, BedNotOccupied]:
        """Free a taken bed."""
        ...


@frozen
class WardRuntime:
    """What a command of the ward may use."""

    patients: Patients
    beds: Beds
    clock: Clock
    events: Events
    outbox: Outbox[WardEvents]


@frozen
class Census:
    """Who is here, and which beds are taken."""

    patients: tuple[PatientId, ...]
    beds: tuple[BedId, ...]


class Censuses(Protocol):
    """The state of the ward, to be read."""

    def now(self) -> Eff[Census]:
        """Read it."""
        ...


@frozen
class WardReads:
    """What a query of the ward may use."""

    censuses: Censuses


ward = Context("ward", WardRuntime, reads=WardReads, publishes=[WardEvents])
Ward: TypeAlias = Do[A, E, WardRuntime]


@frozen
class DischargePatient:
    """Let a patient go home."""

    patient_id: PatientId


@ward.command(access="public")
def discharge_patient(command: DischargePatient) -> Ward[None, PatientUnknown | BedNotOccupied]:
    """Discharge, and announce what the side-car says."""
    rt = yield from ward.runtime
    patient = yield from rt.patients.get(command.patient_id)
    yield from rt.patients.remove(patient.id)
    now = yield from rt.clock.now()
    yield from announce(*discharge(patient, now))


@frozen
class TakeCensus:
    """Ask who is here."""


@ward.query(access="public")
def take_census(_: TakeCensus) -> Do[Census, Never, WardReads]:
    """Answer with the state of the ward."""
    rt = yield from ward.reads
    return (yield from rt.censuses.now())


@ward.on(PatientDischargedOccurred)
def free_the_bed(event: PatientDischargedOccurred) -> Ward[None, BedNotOccupied]:
    """Free the bed with the patient's leaving, in one transaction."""
    rt = yield from ward.runtime
    yield from rt.beds.free(event.patient.bed_id)


class Webhook(Protocol):
    """The bed-management system. It ignores a call whose idempotency key it has seen."""

    def bed_released(self, key: str, bed_id: BedId) -> Eff[None]:
        """Tell that a bed is free."""
        ...


@frozen
class NoticesRuntime:
    """What a command of `notices` may use."""

    webhook: Webhook


notices = Context("notices", NoticesRuntime)
Notices: TypeAlias = Do[A, E, NoticesRuntime]


@frozen
class TellBedManagement:
    """Call the webhook for one released bed."""

    bed_id: BedId
    released_at: datetime


@notices.command(access="internal")
def tell_bed_management(command: TellBedManagement) -> Notices[None]:
    """Call with a key that is the same at each attempt."""
    rt = yield from notices.runtime
    yield from rt.webhook.bed_released(f"{command.bed_id} {command.released_at.isoformat()}", command.bed_id)


ward_events = notices.subscribe(WardEvents, id="notices.ward-events", start="earliest", schedule=Schedule().times(5))


@ward_events.on(BedReleasedEvent)
def on_bed_released(event: BedReleasedEvent) -> Notices[None, Refused]:
    """Go through our own dispatch."""
    yield from tell_bed_management(TellBedManagement(event.bed_id, event.released_at))


MIGRATIONS = (
    Migration(
        1,
        "patients and beds",
        (
            "CREATE TABLE patient (id TEXT PRIMARY KEY, bed_id TEXT NOT NULL, ward_id TEXT NOT NULL) STRICT",
            "CREATE TABLE taken_bed (id TEXT PRIMARY KEY) STRICT",
            # Ann's bed is in good order; by some mistake, nobody wrote down that Bob's is taken.
            "INSERT INTO patient VALUES ('ann', 'bed-1', 'north'), ('bob', 'bed-2', 'north')",
            "INSERT INTO taken_bed VALUES ('bed-1')",
        ),
    ),
)


@frozen
class SqlitePatients:
    """Keep patients in a table."""

    session: SqliteSession

    @operation(kind="transactional")
    async def get(self, patient_id: PatientId) -> Result[Patient, PatientUnknown]:
        """Read one patient."""
        row = await self.session.fetch_one("SELECT id, bed_id, ward_id FROM patient WHERE id = ?", (patient_id,))
        return Failure(PatientUnknown(patient_id)) if row is None else Success(Patient(*row))

    @operation(kind="transactional")
    async def remove(self, patient_id: PatientId) -> None:
        """Forget a patient."""
        await self.session.execute("DELETE FROM patient WHERE id = ?", (patient_id,))


@frozen
class SqliteBeds:
    """Keep taken beds in a table."""

    session: SqliteSession

    @operation(kind="transactional")
    async def free(self, bed_id: BedId) -> Result[None, BedNotOccupied]:
        """Free a taken bed."""
        row = await self.session.fetch_one("DELETE FROM taken_bed WHERE id = ? RETURNING id", (bed_id,))
        return Failure(BedNotOccupied(bed_id)) if row is None else Success(None)


@frozen
class SqliteCensuses:
    """Read both tables."""

    session: SqliteReadSession

    @operation(kind="transactional")
    async def now(self) -> Census:
        """Read them."""
        patients = await self.session.fetch_all("SELECT id FROM patient ORDER BY id")
        beds = await self.session.fetch_all("SELECT id FROM taken_bed ORDER BY id")
        return Census(tuple(PatientId(row[0]) for row in patients), tuple(BedId(row[0]) for row in beds))


@frozen
class BedManagement:
    """A bed-management system that writes down every call and what it took from it.

    Its answers get lost as often as `trouble` holds an exception.
    """

    trouble: list[Exception] = field(factory=list)
    calls: list[str] = field(factory=list)
    free_beds: dict[str, BedId] = field(factory=dict)

    @operation(kind="external", idempotent=True)
    async def bed_released(self, key: str, bed_id: BedId) -> None:
        """Tell that a bed is free."""
        self.calls.append(key)
        self.free_beds.setdefault(key, bed_id)
        if self.trouble:
            raise self.trouble.pop()


def make_ward(tx: Transaction[SqliteSession]) -> WardRuntime:
    """Build what one command of the ward may use."""
    return WardRuntime(SqlitePatients(tx.session), SqliteBeds(tx.session), tx.clock, tx.events, tx.outbox)


def make_ward_reads(tx: ReadTransaction[SqliteReadSession]) -> WardReads:
    """Build what one query of the ward may use."""
    return WardReads(SqliteCensuses(tx.session))


def hospital(folder: Path, webhook: Webhook) -> App:
    """Describe the hospital over two files in `folder`."""

    def make_notices(_: Transaction[SqliteSession]) -> NoticesRuntime:
        return NoticesRuntime(webhook)

    return App(
        "hospital",
        wire=InProcess(),
        # The webhook is called while the inbox row is open: known, and harmless for a call that is this short.
        diagnostics=lambda _: None,
        contexts=[
            ward.bind(make_ward, make_ward_reads, store=SqliteStore(folder / "ward.db", migrations=MIGRATIONS)),
            notices.bind(make_notices, store=SqliteStore(folder / "notices.db")),
        ],
    )
