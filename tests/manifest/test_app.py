"""An application says what it promises, and refuses to start when it breaks what was committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from effect_runtime.errors import ConfigurationError
from effect_runtime.integration import FieldShape
from effect_runtime.manifest import EventContract, SubscriptionContract, TopicContract, WireManifest
from tests.manifest.shop import ShopEvents, WeatherEvents, shop

SOLD = {"article": FieldShape("text"), "count": FieldShape("int"), "currency": FieldShape("text", is_optional=True)}
PRESENT = WireManifest(
    topics=(TopicContract("manifest-shop", "desk"), TopicContract("manifest-weather", None)),
    events=(
        EventContract(name="manifest-shop.sold", topic="manifest-shop", key="article", version=2, shapes={2: SOLD}),
        EventContract(
            name="manifest-shop.closed",
            topic="manifest-shop",
            key=None,
            version=1,
            formerly=("manifest-shop.shut",),
            shapes={1: {}},
        ),
        EventContract(
            name="manifest-weather.rained",
            topic="manifest-weather",
            key=None,
            version=1,
            shapes={1: {"litres": FieldShape("float")}},
        ),
    ),
    subscriptions=(
        SubscriptionContract(
            name="books.sales", topic="manifest-shop", handles=("manifest-shop.sold",), start="earliest"
        ),
        SubscriptionContract(
            name="books.weather", topic="manifest-weather", handles=("manifest-weather.rained",), poison="skip"
        ),
    ),
)
ANOTHER_ID = evolve(PRESENT.subscriptions[0], name="books.all-sales")
LOST = EventContract(name="manifest-shop.lost", topic="manifest-shop", key=None, version=1, shapes={1: {}})
BROKEN = evolve(PRESENT, events=(*PRESENT.events, LOST), subscriptions=(*PRESENT.subscriptions, ANOTHER_ID))


def test_an_application_says_what_it_promises() -> None:
    """Topics with their owners, events with their current shapes, subscriptions with what they handle."""
    app = shop()
    assert app.manifest() == PRESENT
    assert app.topics == (ShopEvents, WeatherEvents)


def test_an_application_that_keeps_its_promises_is_built() -> None:
    """Nothing is asked of code that says what was committed."""
    shop(PRESENT).build()


def test_a_change_that_breaks_nothing_is_built() -> None:
    """A committed file may be older than the code."""
    shop(evolve(PRESENT, subscriptions=(), events=PRESENT.events[:1])).build()


def test_every_breaking_change_is_reported_when_an_application_is_built() -> None:
    """All at once, with code, place, sentence and way out."""
    with pytest.raises(ConfigurationError) as caught:
        shop(BROKEN).build()
    assert [str(fault) for fault in caught.value.faults] == [
        "ER214 app 'shop': event 'manifest-shop.lost': it is gone: what waits of it, dead letters too, is read by "
        "nobody. Bring it back; or, once nothing of it waits anywhere, write the manifest with "
        "`--retire manifest-shop.lost`.",
        "ER214 app 'shop': subscription 'books.all-sales': it is gone: what waits for it is applied by nobody, and "
        "publishers go on keeping events for it. Under another id it would begin anew. Bring it back; or, once "
        "nothing of it waits anywhere, write the manifest with `--retire books.all-sales`.",
    ]


@pytest.mark.anyio
async def test_a_broken_promise_is_refused_before_anything_opens() -> None:
    """`running` verifies first."""
    app = shop(BROKEN)
    with pytest.raises(ConfigurationError):
        async with app.running():
            pass


def test_the_manifest_may_be_given_as_a_file(tmp_path: Path) -> None:
    """The place of a fault is then the file."""
    path = tmp_path / "wire.json"
    path.write_text(BROKEN.to_text())
    with pytest.raises(ConfigurationError) as caught:
        shop(str(path)).build()
    assert [(fault.code.name, fault.place) for fault in caught.value.faults] == [("ER214", str(path))] * 2


def test_a_manifest_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """A missing file must not mean that nothing was promised."""
    path = tmp_path / "wire.json"
    with pytest.raises(ConfigurationError) as caught:
        shop(str(path)).build()
    assert [str(fault) for fault in caught.value.faults] == [
        f"ER216 {path}: file '{path}' cannot be opened (No such file or directory). Take the committed file back, or "
        f"write one: `python -m effect_runtime.manifest write MODULE:APP {path}`."
    ]
