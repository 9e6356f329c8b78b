"""Manifests and payloads for hypothesis, and an independent reading of shapes. Says nothing of what changes mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen
from hypothesis import strategies as st

from effect_runtime.integration import FieldShape
from effect_runtime.manifest import EventContract, SubscriptionContract, TopicContract, WireManifest

SCALARS = ("text", "int", "float", "bool", "decimal", "datetime", "date", "uuid", "bytes")
FIELDS = st.sampled_from(["a", "b", "c", "naïve"])
CHOICES = st.lists(st.sampled_from(['"good"', '"worn"', "1", "2", "true"]), min_size=1, max_size=3).map(tuple)


@frozen
class Tree:
    """A shape with what hangs below it, by the last step of each path."""

    shape: FieldShape
    below: Mapping[str, Tree]

    def flat(self, path: str) -> dict[str, FieldShape]:
        """Return the shapes by path."""
        found = {path: self.shape}
        for step, tree in self.below.items():
            found |= tree.flat(f"{path}{step}")
        return found


def _tree(kind: Any, below: Mapping[str, Tree], null: bool, optional: bool, choices: tuple[str, ...]) -> Tree:
    kept = choices if kind == "choice" else ()
    return Tree(FieldShape(kind, is_nullable=null, is_optional=optional, choices=kept), below)


def _required(tree: Tree) -> Tree:
    return evolve(tree, shape=evolve(tree.shape, is_optional=False))


def _nodes(kind: str, below: st.SearchStrategy[dict[str, Tree]]) -> st.SearchStrategy[Tree]:
    return st.builds(_tree, st.just(kind), below, st.booleans(), st.booleans(), CHOICES)


def _composites(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    items = inner.map(_required)
    return st.one_of(
        _nodes("record", st.dictionaries(FIELDS.map(".{}".format), inner, max_size=3)),
        _nodes("array", items.map(lambda item: {"[]": item})),
        _nodes("tuple", st.lists(items, max_size=2).map(lambda each: {f"[{n}]": item for n, item in enumerate(each)})),
    )


LEAVES = st.builds(_tree, st.sampled_from([*SCALARS, "choice"]), st.just({}), st.booleans(), st.booleans(), CHOICES)
TREES = st.recursive(LEAVES, _composites, max_leaves=4)
SHAPES = st.dictionaries(FIELDS, TREES, max_size=3).map(
    lambda trees: {path: shape for name, tree in trees.items() for path, shape in tree.flat(name).items()}
)


def _added(shapes: dict[str, FieldShape], name: str, tree: Tree) -> dict[str, FieldShape]:
    return {**shapes, **tree.flat(name)} if name not in shapes else shapes


def _toggled(shapes: dict[str, FieldShape], mark: str, place: int) -> dict[str, FieldShape]:
    paths = sorted(path for path in shapes if mark != "is_optional" or not path.endswith("]"))
    if not paths:
        return shapes
    path = paths[place % len(paths)]
    marks: dict[str, Any] = {mark: not getattr(shapes[path], mark)}
    return {**shapes, path: evolve(shapes[path], **marks)}


def _dropped(shapes: dict[str, FieldShape], place: int) -> dict[str, FieldShape]:
    path = sorted(shapes)[place % len(shapes)] if shapes else ""
    return {each: shape for each, shape in shapes.items() if not re.match(rf"{re.escape(path)}(\W|\Z)", each)}


def variants(shapes: dict[str, FieldShape]) -> st.SearchStrategy[dict[str, FieldShape]]:
    """Return shapes that differ from some by one edit: a field more or less, a mark set or taken away."""
    places = st.integers(0, 20)
    return st.one_of(
        st.builds(_added, st.just(shapes), st.sampled_from(["d", "e"]), TREES),
        st.builds(_toggled, st.just(shapes), st.sampled_from(["is_optional", "is_nullable"]), places),
        st.builds(_dropped, st.just(shapes), places),
    )


def _event(
    name: str, topic: str, version: int, oldest: int, shapes: list[dict[str, FieldShape]], key: int | None
) -> EventContract:
    known = dict(enumerate(shapes[:version], start=version - len(shapes[:version]) + 1))
    fields = sorted(path for path in known[version] if path.isidentifier())
    chosen = fields[key % len(fields)] if key is not None and fields else None
    return EventContract(name=name, topic=topic, key=chosen, version=version, oldest=min(oldest, version), shapes=known)


def _manifest(
    names: set[str], topics: list[str], owner: str, events: list[EventContract], heard: list[SubscriptionContract]
) -> WireManifest:
    placed = [evolve(event, topic=topics[len(event.topic) % len(topics)]) for event in events if event.name in names]
    listening = [evolve(each, topic=topics[len(each.topic) % len(topics)]) for each in heard if each.name in names]
    return WireManifest(
        topics=tuple(TopicContract(topic, owner) for topic in topics),
        events=tuple(placed),
        subscriptions=tuple(listening),
    )


def manifests(prefix: str = "") -> st.SearchStrategy[WireManifest]:
    """Return manifests without former or retired names, so small that two of them have much in common."""
    names = [f"{prefix}x.one", f"{prefix}x.two", f"{prefix}x.three"]
    pools = [
        st.builds(
            _event,
            st.just(name),
            st.sampled_from(["", "t"]),
            st.integers(1, 3),
            st.integers(1, 3),
            st.lists(SHAPES, min_size=1, max_size=2),
            st.none() | st.integers(0, 3),
        )
        for name in names
    ]
    heard = [
        st.builds(
            SubscriptionContract,
            name=st.just(name),
            topic=st.sampled_from(["", "t"]),
            handles=st.sets(st.sampled_from(names)).map(tuple),
            start=st.sampled_from(["now", "earliest"]),
            poison=st.sampled_from(["block", "skip"]),
        )
        for name in names
    ]
    topics = st.lists(st.sampled_from([f"{prefix}north", f"{prefix}south"]), min_size=1, max_size=2, unique=True)
    return st.builds(
        _manifest,
        st.sets(st.sampled_from(names)),
        topics,
        st.sampled_from(["lending", "catalog"]),
        st.tuples(*pools).map(list),
        st.tuples(*heard).map(list),
    )


def together(one: WireManifest, other: WireManifest) -> WireManifest:
    """Return a manifest of two that share no name."""
    return WireManifest(
        topics=(*one.topics, *other.topics),
        events=(*one.events, *other.events),
        subscriptions=(*one.subscriptions, *other.subscriptions),
    )


def payloads(shapes: Mapping[str, FieldShape]) -> st.SearchStrategy[dict[str, Any]]:
    """Return payloads of some shapes, fields with a default left out in some."""
    return _members(shapes, "")


SAMPLES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["", "word"]),
    "int": st.integers(-3, 3),
    "float": st.sampled_from([0.5, 1.0]),
    "bool": st.booleans(),
    "decimal": st.just("12.5"),
    "datetime": st.just("2026-01-01T12:00:00Z"),
    "date": st.just("2026-01-01"),
    "uuid": st.just("00000000-0000-4000-8000-000000000001"),
    "bytes": st.just("AAEC"),
}
READ: dict[str, Any] = {
    "text": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "bool": lambda value: isinstance(value, bool),
    "decimal": lambda value: type(value) is int or value == "12.5",
    "datetime": lambda value: value == "2026-01-01T12:00:00Z",
    "date": lambda value: value == "2026-01-01",
    "uuid": lambda value: value == "00000000-0000-4000-8000-000000000001",
    "bytes": lambda value: value == "AAEC",
}


def _below(shapes: Mapping[str, FieldShape], path: str) -> dict[str, str]:
    """Return the paths right below one, by their last step."""
    step = re.compile(rf"{re.escape(path)}(?:\.(\w+)|(\[\d*\]))" if path else r"(\w+)")
    found = ((step.fullmatch(each), each) for each in shapes)
    return {match[match.lastindex or 1]: each for match, each in found if match}


def _members(shapes: Mapping[str, FieldShape], path: str) -> st.SearchStrategy[dict[str, Any]]:
    below = _below(shapes, path)
    required = {step: _values(shapes, each) for step, each in below.items() if not shapes[each].is_optional}
    optional = {step: _values(shapes, each) for step, each in below.items() if shapes[each].is_optional}
    return st.fixed_dictionaries(required, optional=optional)


def _values(shapes: Mapping[str, FieldShape], path: str) -> st.SearchStrategy[Any]:
    shape = shapes[path]
    if shape.kind == "choice":
        values: st.SearchStrategy[Any] = st.sampled_from([json.loads(each) for each in shape.choices] or [None])
    elif shape.kind == "record":
        values = _members(shapes, path)
    elif shape.kind == "array":
        values = st.lists(_values(shapes, f"{path}[]"), max_size=2)
    elif shape.kind == "tuple":
        values = st.tuples(*(_values(shapes, each) for each in _below(shapes, path).values())).map(list)
    else:
        values = SAMPLES[shape.kind]
    return st.none() | values if shape.is_nullable else values


def reads(shapes: Mapping[str, FieldShape], payload: Mapping[str, Any], path: str = "") -> bool:
    """Tell whether a reader of some shapes takes an object."""
    return all(
        _takes(shapes, each, payload[step]) if step in payload else shapes[each].is_optional
        for step, each in _below(shapes, path).items()
    )


def _takes(shapes: Mapping[str, FieldShape], path: str, value: Any) -> bool:
    shape = shapes[path]
    if value is None:
        return shape.is_nullable
    if shape.kind == "choice":
        return json.dumps(value) in shape.choices
    if shape.kind == "record":
        return isinstance(value, dict) and reads(shapes, value, path)
    if shape.kind == "array":
        return isinstance(value, list) and all(_takes(shapes, f"{path}[]", item) for item in value)
    if shape.kind == "tuple":
        places = list(_below(shapes, path).values())
        same = isinstance(value, list) and len(value) == len(places)
        return same and all(_takes(shapes, each, item) for each, item in zip(places, value, strict=True))
    return bool(READ[shape.kind](value))
