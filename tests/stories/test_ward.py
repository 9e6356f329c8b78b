"""The hospital ward: its side-car, and three claims about a patient who goes home, a bed, and a webhook."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from effect_runtime import Failed, Succeeded
from tests.stories.ward import (
    BedId,
    BedManagement,
    BedNotOccupied,
    BedReleasedEvent,
    Census,
    DischargePatient,
    Patient,
    PatientDischargedOccurred,
    PatientId,
    PatientUnknown,
    TakeCensus,
    WardId,
    discharge,
    discharge_patient,
    hospital,
    take_census,
)

pytestmark = pytest.mark.anyio

ANN, BOB = PatientId("ann"), PatientId("bob")
EVERYBODY = Census((ANN, BOB), (BedId("bed-1"),))


def test_what_a_discharge_announces_is_known_without_running_it() -> None:
    """The side-car is a plain function: a patient and a moment in, two events out."""
    patient = Patient(ANN, BedId("bed-1"), WardId("north"))
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert list(discharge(patient, noon)) == [
        PatientDischargedOccurred(patient),
        BedReleasedEvent(BedId("bed-1"), WardId("north"), noon),
    ]


async def test_a_failed_discharge_frees_no_bed_and_tells_nobody(tmp_path: Path) -> None:
    """An unknown patient is a typed failure, and everything stays as it was."""
    webhook = BedManagement()
    app = hospital(tmp_path, webhook)
    async with app.running():
        nobody = PatientId("nobody")
        assert await app.run_exit(discharge_patient(DischargePatient(nobody))) == Failed(PatientUnknown(nobody))
        await app.settled()
        assert await app.run(take_census(TakeCensus())) == EVERYBODY
    assert webhook.calls == []


async def test_a_bed_that_cannot_be_freed_keeps_its_patient(tmp_path: Path) -> None:
    """The domain handler fails after the patient was removed and the event published: all of it is undone."""
    webhook = BedManagement()
    app = hospital(tmp_path, webhook)
    async with app.running():
        exit = await app.run_exit(discharge_patient(DischargePatient(BOB)))
        assert exit == Failed(BedNotOccupied(BedId("bed-2")))
        await app.settled()
        assert await app.run(take_census(TakeCensus())) == EVERYBODY
    assert webhook.calls == []


async def test_a_webhook_is_called_after_a_restart_and_heard_once_per_key(tmp_path: Path) -> None:
    """Stopped before the relay, then failing right after the call: the bed is released, and released once."""
    webhook = BedManagement()
    first = hospital(tmp_path, webhook)
    async with first.running(relay=False, consumers=False):
        assert await first.run_exit(discharge_patient(DischargePatient(ANN))) == Succeeded(None)
        assert await first.run(take_census(TakeCensus())) == Census((BOB,), ())
    assert webhook.calls == []
    webhook.trouble.append(ConnectionError("the answer was lost"))
    second = hospital(tmp_path, webhook)
    async with second.running():
        await second.settled()
    assert webhook.calls == [webhook.calls[0]] * 2
    assert list(webhook.free_beds.values()) == [BedId("bed-1")]
    third = hospital(tmp_path, webhook)
    async with third.running():
        await third.settled()
        assert await third.dead_letters.list() == ()
    assert len(webhook.calls) == 2
