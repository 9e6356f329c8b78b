"""Subscriptions and applications that are refused when they are built."""

from __future__ import annotations

from typing import Any, Never

from attrs import frozen

from effect_runtime import App, Context, Do, Events, fail, succeed
from effect_runtime.dispatch import Subscription
from effect_runtime.errors import Code
from effect_runtime.outbox import RecordingInterpreter
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.transports import InProcess
from tests.codes.dispatch import Torn, build
from tests.codes.registry import fails_with
from tests.codes.topics import LetterEvents, LetterSent, ParcelEvents, ParcelSent


@frozen
class Runtime:
    """What every context here may use."""

    events: Events


def context(name: str, **options: Any) -> Context[Runtime, object]:
    """Return a new context."""
    return Context(name, Runtime, **options)


def hearing(subscription: Subscription[Runtime]) -> None:
    """Give a subscription a sound handler of sent letters."""

    @subscription.on(LetterSent)
    def hear(event: LetterSent) -> Do[None, Never, Runtime]:
        yield from succeed(None)


def letters() -> Context[Runtime, object]:
    """Return a context that publishes letters."""
    return context("letters", publishes=[LetterEvents])


@fails_with(Code.ER210)
def topic_of_two_contexts() -> None:
    """Publish one topic from two contexts."""
    build(letters(), context("mail", publishes=[LetterEvents]), wire=InProcess())


@fails_with(Code.ER301)
def subscription_of_the_publisher() -> None:
    """Subscribe to one's own topic."""
    publisher = letters()
    hearing(publisher.subscribe(LetterEvents, id="letters.own"))
    build(publisher, wire=InProcess())


@fails_with(Code.ER302)
def subscription_to_an_unknown_topic() -> None:
    """Subscribe to what no context here publishes."""
    reader = context("reader")
    hearing(reader.subscribe(LetterEvents, id="reader.letters"))
    build(reader, wire=InProcess())


@fails_with(Code.ER303)
def unmapped_failure() -> None:
    """Leave open what a failure means for delivery."""
    reader = context("reader")
    subscription = reader.subscribe(LetterEvents, id="reader.letters")

    @subscription.on(LetterSent)
    def hear(event: LetterSent) -> Do[None, Torn, Runtime]:
        yield from fail(Torn(event.letter))

    build(letters(), reader, wire=InProcess())


@fails_with(Code.ER304)
def two_subscriptions_of_one_id() -> None:
    """Use an id twice."""
    reader, other = context("reader"), context("other")
    hearing(reader.subscribe(LetterEvents, id="letters"))
    hearing(other.subscribe(LetterEvents, id="letters"))
    build(letters(), reader, other, wire=InProcess())


@fails_with(Code.ER305)
def two_handlers_of_one_event() -> None:
    """Handle an event twice in one subscription."""
    reader = context("reader")
    subscription = reader.subscribe(LetterEvents, id="reader.letters")
    hearing(subscription)
    hearing(subscription)
    build(letters(), reader, wire=InProcess())


@fails_with(Code.ER306)
def handler_of_another_topics_event() -> None:
    """Handle an event that never comes by this topic."""
    reader = context("reader")
    subscription = reader.subscribe(LetterEvents, id="reader.letters")

    @subscription.on(ParcelSent)
    def hear(event: ParcelSent) -> Do[None, Never, Runtime]:
        yield from succeed(None)

    build(letters(), context("parcels", publishes=[ParcelEvents]), reader, wire=InProcess())


@fails_with(Code.ER401)
def immediate_in_production() -> None:
    """Let events die with the process, in production."""
    build(letters(), wire=InProcess(), transport="immediate", profile="production")


@fails_with(Code.ER401)
def recording_in_production() -> None:
    """Keep events in a list, in production."""
    build(letters(), wire=InProcess(), transport=RecordingInterpreter(), profile="production")


@fails_with(Code.ER402)
def missing_extra() -> None:
    """Name a module whose driver is not installed."""
    build(context("reader", modules=["tests.codes.elsewhere.undriven"]))


@fails_with(Code.ER403)
def two_contexts_of_one_name() -> None:
    """Bind two contexts that are called the same."""
    build(context("reader"), context("reader"))


@fails_with(Code.ER403)
def context_bound_twice() -> None:
    """Bind a context two times."""
    reader = context("reader")
    build(reader, reader)


@fails_with(Code.ER405)
def topic_without_a_wire() -> None:
    """Publish what nothing carries."""
    build(letters())


@fails_with(Code.ER406)
def context_that_is_not_bound() -> None:
    """Give the app a context without a store."""
    App("letters", contexts=[context("reader")]).build()  # type: ignore[list-item]  # what is refused


@fails_with(Code.ER407)
def store_that_was_not_made() -> None:
    """Give the class of a store."""
    store: Any = MemoryStore  # a checker would refuse it below
    App("letters", contexts=[context("reader").bind(lambda tx: Runtime(tx.events), store=store)]).build()
