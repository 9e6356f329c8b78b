"""What each change means: an example of every kind, and laws that hold for any two manifests."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.integration import FieldShape
from effect_runtime.manifest import (
    Change,
    ChangeKind,
    EventContract,
    Impact,
    SubscriptionContract,
    TopicContract,
    WireManifest,
    compare,
    worst,
)
from effect_runtime.manifest._change import RULES
from tests.manifest.strategies import SHAPES, manifests, payloads, reads, together, variants

TEXT, INT, UUID = FieldShape("text"), FieldShape("int"), FieldShape("uuid")
STATE = FieldShape("choice", choices=('"good"', '"worn"'))
LENDING = TopicContract("lending", "lending")
LENT = EventContract(
    name="lending.lent", topic="lending", key="book", version=1, shapes={1: {"book": TEXT, "days": INT}}
)
LOANS = SubscriptionContract(name="catalog.loans", topic="lending", handles=("lending.lent",))
OLD = WireManifest(topics=(LENDING,), events=(LENT,), subscriptions=(LOANS,))


def event(**changes: Any) -> WireManifest:
    """Return the manifest with another event."""
    return evolve(OLD, events=(evolve(LENT, **changes),))


def fields(**shapes: FieldShape) -> WireManifest:
    """Return the manifest with an event of these fields beside its key."""
    return event(shapes={1: {"book": TEXT, **{name.replace("__", "."): shape for name, shape in shapes.items()}}})


def subscription(**changes: Any) -> WireManifest:
    """Return the manifest with another subscription."""
    return evolve(OLD, subscriptions=(evolve(LOANS, **changes),))


def on(topic: TopicContract) -> WireManifest:
    """Return the manifest with its event and its subscription on another topic."""
    return WireManifest(
        topics=(topic,), events=(evolve(LENT, topic=topic.name),), subscriptions=(evolve(LOANS, topic=topic.name),)
    )


WEATHER = TopicContract("weather", None)
RAIN = evolve(LENT, name="weather.rain", topic="weather")
NEWER = event(version=2, shapes={2: {"book": TEXT, "loan": UUID, "days": TEXT}})
RENAMED = evolve(event(name="lending.borrowed", formerly=("lending.lent",)), subscriptions=())
DEFAULT = FieldShape("int", is_optional=True)

EXAMPLES: dict[ChangeKind, tuple[WireManifest, WireManifest]] = {
    ChangeKind.TOPIC_ADDED: (OLD, evolve(OLD, topics=(LENDING, WEATHER))),
    ChangeKind.TOPIC_RETIRED: (evolve(OLD, topics=(LENDING, evolve(WEATHER, owner="sky"))), OLD),
    ChangeKind.TOPIC_FORGOTTEN: (evolve(OLD, topics=(LENDING, WEATHER), events=(LENT, RAIN)), OLD),
    ChangeKind.TOPIC_RENAMED: (OLD, on(TopicContract("loans", "lending"))),
    ChangeKind.OWNER_CHANGED: (OLD, evolve(OLD, topics=(evolve(LENDING, owner="desk"),))),
    ChangeKind.EVENT_ADDED: (OLD, evolve(OLD, events=(LENT, evolve(LENT, name="lending.lost")))),
    ChangeKind.EVENT_REMOVED: (OLD, evolve(OLD, events=())),
    ChangeKind.EVENT_RETIRED: (OLD, evolve(OLD, events=(), retired_events=("lending.lent",))),
    ChangeKind.EVENT_MOVED: (
        evolve(OLD, topics=(LENDING, WEATHER)),
        evolve(OLD, topics=(LENDING, WEATHER), events=(evolve(LENT, topic="weather"),)),
    ),
    ChangeKind.IDENTITY_RENAMED: (evolve(OLD, subscriptions=()), RENAMED),
    ChangeKind.FORMER_NAME_ADDED: (OLD, event(formerly=("lending.given",))),
    ChangeKind.FORMER_NAME_LOST: (event(formerly=("lending.given",)), OLD),
    ChangeKind.KEY_CHANGED: (OLD, event(key="days")),
    ChangeKind.VERSION_RAISED: (OLD, NEWER),
    ChangeKind.VERSION_LOWERED: (NEWER, OLD),
    ChangeKind.OLDEST_RAISED: (NEWER, evolve(NEWER, events=(evolve(NEWER.events[0], oldest=2),))),
    ChangeKind.OLDEST_LOWERED: (evolve(NEWER, events=(evolve(NEWER.events[0], oldest=2),)), NEWER),
    ChangeKind.OPTIONAL_FIELD_ADDED: (OLD, fields(days=INT, fine=DEFAULT)),
    ChangeKind.REQUIRED_FIELD_ADDED: (OLD, fields(days=INT, fine=INT)),
    ChangeKind.FIELD_REMOVED: (OLD, fields()),
    ChangeKind.DEFAULT_ADDED: (OLD, fields(days=DEFAULT)),
    ChangeKind.DEFAULT_REMOVED: (fields(days=DEFAULT), OLD),
    ChangeKind.TYPE_WIDENED: (OLD, fields(days=FieldShape("int", is_nullable=True))),
    ChangeKind.TYPE_NARROWED: (fields(days=FieldShape("decimal")), OLD),
    ChangeKind.TYPE_CHANGED: (OLD, fields(days=UUID)),
    ChangeKind.CHOICE_ADDED: (fields(state=STATE), fields(state=evolve(STATE, choices=(*STATE.choices, '"lost"')))),
    ChangeKind.CHOICE_REMOVED: (fields(state=STATE), fields(state=evolve(STATE, choices=('"good"',)))),
    ChangeKind.SUBSCRIPTION_ADDED: (evolve(OLD, subscriptions=()), OLD),
    ChangeKind.SUBSCRIPTION_REMOVED: (OLD, evolve(OLD, subscriptions=())),
    ChangeKind.SUBSCRIPTION_RETIRED: (OLD, evolve(OLD, subscriptions=(), retired_subscriptions=("catalog.loans",))),
    ChangeKind.SUBSCRIPTION_MOVED: (
        evolve(OLD, topics=(LENDING, WEATHER)),
        evolve(OLD, topics=(LENDING, WEATHER), subscriptions=(evolve(LOANS, topic="weather"),)),
    ),
    ChangeKind.SUBSCRIPTION_REVIVED: (evolve(OLD, subscriptions=(), retired_subscriptions=("catalog.loans",)), OLD),
    ChangeKind.HANDLER_ADDED: (subscription(handles=()), OLD),
    ChangeKind.HANDLER_REMOVED: (OLD, subscription(handles=())),
    ChangeKind.START_MADE_EARLIEST: (OLD, subscription(start="earliest")),
    ChangeKind.START_MADE_NOW: (subscription(start="earliest"), OLD),
    ChangeKind.POISON_CHANGED: (OLD, subscription(poison="skip")),
}
"""For each kind two manifests between which it is the only change."""

SEVERAL: dict[str, tuple[WireManifest, WireManifest, list[ChangeKind]]] = {
    "a topic that goes with its event": (
        evolve(OLD, subscriptions=()),
        WireManifest(),
        [ChangeKind.TOPIC_REMOVED, ChangeKind.EVENT_REMOVED],
    ),
    "a retired topic": (
        evolve(OLD, subscriptions=()),
        WireManifest(retired_events=("lending.lent",)),
        [ChangeKind.TOPIC_RETIRED, ChangeKind.EVENT_RETIRED],
    ),
    "a retired identity that comes back": (
        evolve(OLD, events=(), retired_events=("lending.lent",)),
        OLD,
        [ChangeKind.EVENT_ADDED, ChangeKind.EVENT_REVIVED],
    ),
    "a subscription under another id": (
        OLD,
        subscription(name="catalog.all-loans"),
        [ChangeKind.SUBSCRIPTION_REMOVED, ChangeKind.SUBSCRIPTION_ADDED],
    ),
    "a field under another name": (
        OLD,
        fields(weeks=INT),
        [ChangeKind.REQUIRED_FIELD_ADDED, ChangeKind.FIELD_REMOVED],
    ),
    "a record is told once, not field by field": (
        OLD,
        fields(days=INT, fee=FieldShape("record"), fee__amount=INT, fee__currency=TEXT),
        [ChangeKind.REQUIRED_FIELD_ADDED],
    ),
    "a record that becomes a scalar": (
        fields(days=FieldShape("record"), days__count=INT),
        OLD,
        [ChangeKind.TYPE_CHANGED],
    ),
    "a renamed identity with its handler": (
        OLD,
        evolve(RENAMED, subscriptions=(evolve(LOANS, handles=("lending.borrowed",)),)),
        [ChangeKind.IDENTITY_RENAMED],
    ),
    "an identity taken back": (
        RENAMED,
        evolve(OLD, subscriptions=()),
        [ChangeKind.FORMER_NAME_LOST],
    ),
    "two events become one": (
        evolve(OLD, events=(LENT, evolve(LENT, name="lending.given")), subscriptions=()),
        evolve(event(formerly=("lending.given",)), subscriptions=()),
        [ChangeKind.IDENTITY_RENAMED, ChangeKind.FORMER_NAME_ADDED],
    ),
    "a choice that may be null and more": (
        fields(state=STATE),
        fields(state=evolve(STATE, choices=('"good"', '"lost"', '"worn"'), is_nullable=True)),
        [ChangeKind.CHOICE_ADDED, ChangeKind.TYPE_WIDENED],
    ),
    "a choice that becomes any text": (fields(state=STATE), fields(state=TEXT), [ChangeKind.TYPE_WIDENED]),
    "a text that becomes a choice": (fields(state=TEXT), fields(state=STATE), [ChangeKind.TYPE_NARROWED]),
    "a number that becomes a choice of texts": (fields(state=INT), fields(state=STATE), [ChangeKind.TYPE_CHANGED]),
    "wider and narrower at once": (
        fields(days=FieldShape("int", is_nullable=True)),
        fields(days=FieldShape("float")),
        [ChangeKind.TYPE_CHANGED],
    ),
    "an older version that the new manifest does not know": (
        evolve(NEWER, events=(evolve(NEWER.events[0], shapes={**LENT.shapes, **NEWER.events[0].shapes}),)),
        NEWER,
        [],
    ),
    "an older version that was written otherwise": (
        evolve(NEWER, events=(evolve(NEWER.events[0], shapes={**LENT.shapes, **NEWER.events[0].shapes}),)),
        evolve(NEWER, events=(evolve(NEWER.events[0], shapes={1: {"book": TEXT}, **NEWER.events[0].shapes}),)),
        [ChangeKind.FIELD_REMOVED],
    ),
}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in EXAMPLES])
def test_the_example_of_a_kind_is_that_change_alone(kind: ChangeKind) -> None:
    """Each kind is found where it happens, and nothing else is."""
    assert [change.kind for change in compare(*EXAMPLES[kind])] == [kind]


@pytest.mark.parametrize(("old", "new", "kinds"), [pytest.param(*case, id=name) for name, case in SEVERAL.items()])
def test_several_changes_are_told_apart(old: WireManifest, new: WireManifest, kinds: list[ChangeKind]) -> None:
    """Changes that come together are each told once."""
    assert [change.kind for change in compare(old, new)] == kinds


def test_every_kind_has_a_rule_and_an_example() -> None:
    """The table leaves no kind open."""
    shown = {*EXAMPLES, *(kind for _, _, kinds in SEVERAL.values() for kind in kinds)}
    assert (set(RULES), shown) == (set(ChangeKind), set(ChangeKind))


def test_the_docs_have_a_row_for_every_kind() -> None:
    """The concept page says of each kind what it is and, unless there is nothing to do, the way out."""
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "manifest.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (compatible|upcastable|breaking) \| (.+) \|$", page, flags=re.MULTILINE)
    fixes = {kind: rule.fix.format(before="OLD", after="NEW") for kind, rule in RULES.items()}
    assert rows == [
        (kind.value, rule.impact.value, "-" if fixes[kind].startswith("There is nothing") else fixes[kind])
        for kind, rule in RULES.items()
    ]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in ChangeKind])
def test_a_sentence_says_what_and_the_way_out(kind: ChangeKind) -> None:
    """Facts are filled in, and both sentences end as such."""
    change = Change(kind, "event 'x.y'", before="BEFORE", after="AFTER")
    assert str(change) == f"{change.impact.value}: event 'x.y': {change.problem} {change.fix}"
    assert (change.problem[-1], change.fix[-1]) == (".", ".")
    assert "{" not in str(change)


def test_a_breaking_change_is_told_in_full() -> None:
    """The whole line, as a build prints it."""
    (change,) = compare(OLD, fields(days=INT, fine=INT))
    assert str(change) == (
        "breaking: event 'lending.lent' version 1, field 'fine': it is new (int) and has no default, so payloads that "
        "were committed without it cannot be read. Give it a default; or raise `version=` by one and write an "
        "@upcaster from the version before."
    )


def test_a_new_version_says_how_it_differs() -> None:
    """What a reader must be ready for stands in the sentence."""
    (change,) = compare(OLD, NEWER)
    assert (change.impact, change.problem) == (
        Impact.UPCASTABLE,
        "version 1 became 2 (adds loan; changes days).",
    )


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("int", "float"),
        ("int", "decimal"),
        ("uuid", "text"),
        ("decimal", "text"),
        ("datetime", "text"),
        ("date", "text"),
        ("bytes", "text"),
    ],
)
def test_what_is_written_as_one_scalar_may_be_read_as_another(narrow: Any, wide: Any) -> None:
    """Such a change is wider one way, narrower the other."""
    one, other = fields(days=FieldShape(narrow)), fields(days=FieldShape(wide))
    assert [change.kind for change in compare(one, other)] == [ChangeKind.TYPE_WIDENED]
    assert [change.kind for change in compare(other, one)] == [ChangeKind.TYPE_NARROWED]


# Laws.

SAME = {kind.name: (kind.name, 0) for kind in ChangeKind}
DIRECTION = SAME | {
    "TOPIC_ADDED": ("topic", 1),
    "TOPIC_REMOVED": ("topic", -1),
    "TOPIC_RETIRED": ("topic", -1),
    "EVENT_ADDED": ("event", 1),
    "EVENT_REMOVED": ("event", -1),
    "VERSION_RAISED": ("version", 1),
    "VERSION_LOWERED": ("version", -1),
    "OLDEST_RAISED": ("oldest", 1),
    "OLDEST_LOWERED": ("oldest", -1),
    "OPTIONAL_FIELD_ADDED": ("field", 1),
    "REQUIRED_FIELD_ADDED": ("field", 1),
    "FIELD_REMOVED": ("field", -1),
    "DEFAULT_ADDED": ("default", 1),
    "DEFAULT_REMOVED": ("default", -1),
    "TYPE_WIDENED": ("type", 1),
    "TYPE_NARROWED": ("type", -1),
    "CHOICE_ADDED": ("choice", 1),
    "CHOICE_REMOVED": ("choice", -1),
    "SUBSCRIPTION_ADDED": ("subscription", 1),
    "SUBSCRIPTION_REMOVED": ("subscription", -1),
    "HANDLER_ADDED": ("handler", 1),
    "HANDLER_REMOVED": ("handler", -1),
    "START_MADE_EARLIEST": ("start", 1),
    "START_MADE_NOW": ("start", -1),
}


def moves(changes: tuple[Change, ...], sign: int) -> Counter[tuple[str, int, str]]:
    """Count changes by what they move and which way; a renamed topic has two names, so its place is left out."""
    found: Counter[tuple[str, int, str]] = Counter()
    for change in changes:
        word, direction = DIRECTION[change.kind.name]
        where = "" if change.kind is ChangeKind.TOPIC_RENAMED else change.where
        found[word, sign * direction, "" if change.kind is ChangeKind.OWNER_CHANGED else where] += 1
    return found


@given(manifests())
def test_nothing_has_changed_between_a_manifest_and_itself(manifest: WireManifest) -> None:
    """No change is found where there is none."""
    assert compare(manifest, manifest) == ()


@given(manifests(), manifests())
def test_a_change_undone_is_the_opposite_change(one: WireManifest, other: WireManifest) -> None:
    """What is added one way is removed the other way, at the same place."""
    assert moves(compare(one, other), 1) == moves(compare(other, one), -1)


@given(manifests("a."), manifests("a."), manifests("b."), manifests("b."))
def test_contracts_without_a_common_name_do_not_meet(
    one: WireManifest, one_later: WireManifest, other: WireManifest, other_later: WireManifest
) -> None:
    """The changes of both together are those of each, so together they are as bad as the worse of the two."""
    apart = compare(one, one_later), compare(other, other_later)
    both = compare(together(one, other), together(one_later, other_later))
    assert Counter(both) == Counter(apart[0]) + Counter(apart[1])
    assert worst(both) is worst((Change(ChangeKind.TOPIC_ADDED, ""), *apart[0], *apart[1]))


@given(st.lists(st.sampled_from([Change(kind, "x") for kind in ChangeKind])), st.sampled_from(ChangeKind))
def test_one_more_change_makes_nothing_better(changes: list[Change], kind: ChangeKind) -> None:
    """The worst impact only grows."""
    order = list(Impact)
    assert order.index(worst([*changes, Change(kind, "y")])) == max(
        order.index(worst(changes)), order.index(RULES[kind].impact)
    )


def both_read(old: dict[str, FieldShape], new: dict[str, FieldShape], data: st.DataObject) -> bool:
    """Draw a payload of each and tell whether the other's reader takes it; whoever writes leaves no field out."""
    committed = data.draw(payloads(old))
    sent = data.draw(payloads({path: evolve(shape, is_optional=False) for path, shape in new.items()}))
    return reads(new, committed) and reads(old, sent)


@given(SHAPES.flatmap(lambda shapes: st.tuples(st.just(shapes), variants(shapes))), st.data())
def test_where_nothing_breaks_both_read_what_the_other_writes(
    pair: tuple[dict[str, FieldShape], dict[str, FieldShape]], data: st.DataObject
) -> None:
    """Within one version, changes that are called compatible are so, judged by a reader of its own."""
    old, new = pair
    changes = compare(event(key=None, shapes={1: old}), event(key=None, shapes={1: new}))
    assert worst(changes) is Impact.BREAKING or both_read(old, new, data)
