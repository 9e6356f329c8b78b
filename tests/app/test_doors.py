"""The dynamic door: messages that are known only at run time."""

from __future__ import annotations

import pytest

from effect_runtime import Failed, Forbidden, Invalid, Principal, Succeeded
from effect_runtime.dispatch import CommandIdReused
from effect_runtime.errors import MessageAmbiguous, MessageUnknown
from effect_runtime.integration import FieldError
from tests.app.pair import Count, Pair
from tests.dispatch.world import All, Keep, Missing, Other, Writing

pytestmark = pytest.mark.anyio


async def test_a_message_is_sent_by_its_instance(pair: Pair) -> None:
    """Commands and queries find their handler by their class."""
    async with pair.running() as app:
        assert await app.send(Keep("a", 3)) == Succeeded(3)
        assert await app.send(Other("a")) == Succeeded(3)
        assert await app.send(Other("b")) == Failed(Missing("b"))


@pytest.mark.parametrize("name", ["Keep", "notes.Keep", "notes.keep"])
async def test_a_message_is_sent_by_its_name_with_fields(pair: Pair, name: str) -> None:
    """By class name, by context and class name, or by context and handler."""
    async with pair.running() as app:
        assert await app.send(name, {"key": "a", "value": 5}) == Succeeded(5)
        assert await app.send(name, {"key": "b"}) == Succeeded(1)


async def test_a_name_without_fields_is_a_message_without_fields(pair: Pair) -> None:
    """The name itself is never handed to the handler."""
    async with pair.running() as app:
        exit = await app.send("Keep")
        assert exit == Failed(Invalid((FieldError("key", "is missing"),)))


async def test_all_fields_that_do_not_fit_are_reported_and_audited(pair: Pair) -> None:
    """The refusal lists each, and is on record like every other."""
    async with pair.running() as app:
        exit = await app.send("Keep", {"key": 7, "value": "many"}, principal=Principal("ann"))
        assert isinstance(exit, Failed)
        assert isinstance(exit.error, Invalid)
        assert [wrong.field for wrong in exit.error.fields] == ["key", "value"]
        assert all(isinstance(wrong, FieldError) for wrong in exit.error.fields)
        assert await pair.publisher.audit() == [("keep", "ann", "invalid: key, value")]


async def test_an_unknown_message_names_the_known_ones(pair: Pair) -> None:
    """A typing error is found at a glance."""
    async with pair.running() as app:
        with pytest.raises(MessageUnknown) as caught:
            await app.send("Keepp", {"key": "a"})
        with pytest.raises(MessageUnknown):
            await app.send(All())
    assert caught.value.known == ("counts.count", "notes.keep", "notes.kept")


async def test_a_message_that_two_handlers_take_is_ambiguous(pair: Pair) -> None:
    """Two contexts may have a command of one name; the short name then is refused."""
    notes = pair.notes

    @notes.command(access="public")
    def forget(command: Count) -> Writing[int]:
        yield from notes.runtime
        return 0

    async with pair.running() as app:
        with pytest.raises(MessageAmbiguous) as caught:
            await app.send("Count", {"key": "a"})
        assert await app.send("notes.forget", {"key": "a"}) == Succeeded(0)
    assert caught.value.handlers == ("notes.forget", "counts.count")


async def test_the_dynamic_door_refuses_internal_messages(pair: Pair) -> None:
    """It is a door like the others."""
    async with pair.running() as app:
        assert await app.send("counts.count", {"key": "a"}) == Failed(Forbidden("counts.count is internal."))
        assert await app.send("counts.count", {"key": "a"}, principal=Principal.system("cron")) == Succeeded(1)


async def test_the_dynamic_door_knows_command_ids(pair: Pair) -> None:
    """Sent twice under one id it is done once; typed and dynamic doors share the ids."""
    async with pair.running() as app:
        assert await app.send("Keep", {"key": "a"}, command_id="c") == Succeeded(1)
        assert await app.run(pair.keep(Keep("a")), command_id="c") == 1
        assert await app.send("Keep", {"key": "b"}, command_id="c") == Failed(CommandIdReused("c"))
        assert await pair.publisher.rows() == {"a": 1}
