"""From types to strategies: annotations, attrs fields with their validators and converters, pools of ids.

What a value must be is read from its class; where nothing can be read the error names the place and the way out.
Knows no context and no command.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from enum import Enum
from inspect import signature
from types import MappingProxyType
from typing import Any, Final, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints

import attrs
from attrs import define, field, frozen
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, ResolutionFailed
from hypothesis.strategies import SearchStrategy

from effect_runtime.errors import NoStrategy, ValuesRefused
from effect_runtime.integration import is_union, plain
from effect_runtime.testing.properties._annotations import fields_of, opened
from effect_runtime.testing.properties._constraints import FREE, Constraints, constraints_of
from effect_runtime.testing.properties._pools import FEW, drawn_once, is_id, is_judging, made_up
from effect_runtime.testing.properties._scalars import SCALARS, sizes

PATIENCE: Final = 100
"""How many values a class may refuse in a row, before it ever took one."""

_TABLES: Final = (dict, Mapping, MutableMapping)
_ARRAYS: Final[Mapping[Any, Callable[[Any], Any]]] = MappingProxyType(
    {
        list: list,
        set: set,
        frozenset: frozenset,
        tuple: tuple,
        Sequence: tuple,
        Iterable: tuple,
        Collection: tuple,
        AbstractSet: frozenset,
        MutableSequence: list,
        MutableSet: set,
    }
)

Pooled = Callable[[Any, Sequence[Any]], SearchStrategy[Any]]
"""Draw from the pool of a type."""


def _sampled(kind: Any, pool: Sequence[Any]) -> SearchStrategy[Any]:
    return st.sampled_from(pool)


@frozen(eq=False)
class Derivation:
    """Derive strategies. `pools` and `overrides` are the user's; `pooled` says how a pool is drawn from."""

    pools: Mapping[Any, Sequence[Any]] = field(factory=dict)
    overrides: Mapping[Any, SearchStrategy[Any]] = field(factory=dict)
    pooled: Pooled = _sampled
    _known: dict[Any, SearchStrategy[Any]] = field(factory=dict, init=False)
    _samples: dict[Any, list[Any]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        for key, strategy in self.overrides.items():
            name = _key_name(key)
            if isinstance(key, str):
                raise NoStrategy(repr(key), key="Class.field", reason="a text is no field and no type")
            if not isinstance(strategy, SearchStrategy):
                raise NoStrategy(name, key=name, reason=f"{strategy!r} is a value, not what draws it")
        for kind, pool in self.pools.items():
            if not pool:
                raise NoStrategy(name_of(kind), key=name_of(kind), reason="its pool is empty")

    def of(self, kind: Any, asked: Constraints = FREE, *, place: str = "", least: int = 0) -> SearchStrategy[Any]:
        """Return a strategy of the values of an annotation, `least` different ones where it is an id.

        Raises `errors.NoStrategy`, which names `place`.
        """
        for each in (kind, opened(kind)):
            chosen = self._chosen(each)
            if chosen is not None:
                return chosen
        kind = opened(kind)
        if asked.kinds and plain(kind) in (Any, object):
            return st.one_of([self.of(each, asked.inside(), place=place) for each in asked.kinds])
        pooled = self._from_pool(kind, asked, place, max(FEW, least)) if is_id(kind) else None
        if pooled is not None:
            return pooled
        if isinstance(kind, NewType):
            return self.of(kind.__supertype__, asked, place=place or kind.__name__)
        return self._plain(plain(kind), asked, place or name_of(kind))

    def record(self, cls: Any, asked: Mapping[str, Constraints] = MappingProxyType({})) -> SearchStrategy[Any]:
        """Return a strategy of the instances of an attrs class; `asked` adds constraints to some fields.

        A class of one field, which would be an id inside another, is a record here.
        """
        if cls in self.overrides:
            return self.overrides[cls]
        if cls not in self._known:
            # Known before it is made: a class whose instances hold others of their class finds itself.
            self._known[cls] = st.deferred(lambda: made)
            made = self._record(cls, asked)
            self._known[cls] = made
        return self._known[cls]

    def _chosen(self, kind: Any) -> SearchStrategy[Any] | None:
        """Return what the user says of a type."""
        try:
            chosen = self.overrides.get(kind)
            pool = self.pools.get(kind)
        except TypeError:  # an annotation with something in it that has no hash
            return None
        return self.pooled(kind, pool) if chosen is None and pool is not None else chosen

    def _from_pool(self, kind: Any, asked: Constraints, place: str, count: int) -> SearchStrategy[Any] | None:
        """Draw ids that meet, of those that may stand in a field; None where none of ours may.

        A class that judges its value, or a number with bounds, may be no id: it comes from outside the pool as well.
        """
        if asked.options is not None:
            return None
        beside: SearchStrategy[Any] | None = None
        if is_judging(kind):
            beside = self.record(kind)
        elif asked.bounds:
            beside = self.of(plain(kind), asked, place=place)
        pool = [id for id in made_up(kind, count) if _stands(asked, id)]
        if not pool and beside is not None and is_judging(kind):
            if kind not in self._samples:
                self._samples[kind] = drawn_once(beside)
            pool = self._samples[kind]
        if not pool:
            return beside
        pooled = self.pooled(kind, pool)
        return pooled if beside is None else pooled | beside

    def _plain(self, kind: Any, asked: Constraints, place: str) -> SearchStrategy[Any]:
        origin = get_origin(kind) or kind
        if asked.options is not None:
            return st.sampled_from([option for option in asked.options if _stands(asked, option)])
        if kind in SCALARS:
            return self._possible(SCALARS[kind](asked), kind, place)
        if isinstance(kind, TypeVar):
            return self._unknown(kind, place, f"{kind.__name__} may stand for anything")
        if isinstance(kind, type) and issubclass(kind, Enum):
            return st.sampled_from(kind)
        if origin is Literal:
            return st.sampled_from(get_args(kind))
        if is_union(kind):
            return st.one_of([self.of(each, asked, place=place) for each in _none_first(get_args(kind))])
        if origin in _ARRAYS or origin in _TABLES:
            return self._collection(kind, origin, asked, place)
        if attrs.has(origin):
            return self.record(kind)
        return self._from_hypothesis(kind, place)

    def _collection(self, kind: Any, origin: Any, asked: Constraints, place: str) -> SearchStrategy[Any]:
        arguments = get_args(kind)
        if kind == tuple[()]:
            return st.just(())
        if not arguments:
            return self._unknown(kind, place, f"a bare {name_of(kind)} does not say what it holds")
        shortest, usual = sizes(asked, FEW)
        inner = f"{place}[]"
        if origin in _TABLES:
            keys = self.of(arguments[0], constraints_of(*asked.keys), place=inner)
            values = self.of(arguments[1], constraints_of(*asked.values), place=inner)
            return st.dictionaries(keys, values, min_size=shortest, max_size=usual)
        members = constraints_of(*asked.members)
        if origin is tuple and arguments[-1] is not Ellipsis:
            return st.tuples(*(self.of(each, members, place=inner) for each in arguments))
        unique = issubclass(origin, AbstractSet)
        items = self.of(arguments[0], members, place=inner, least=shortest if unique else 0)
        drawn = st.lists(items, min_size=shortest, max_size=usual, unique=unique)
        return (self._possible(drawn, kind, place) if shortest > 1 else drawn).map(_ARRAYS[origin])

    def _possible(self, strategy: SearchStrategy[Any], kind: Any, place: str) -> SearchStrategy[Any]:
        """Return a strategy of something, unless validators ask for what there is not."""
        try:
            strategy.validate()
        except InvalidArgument as error:
            return self._unknown(kind, place, str(error).rstrip("."), error)
        return strategy

    def _from_hypothesis(self, kind: Any, place: str) -> SearchStrategy[Any]:
        """Ask hypothesis, which knows dataclasses and whatever was registered with it."""
        if kind is Any or kind is object:
            return self._unknown(kind, place, f"{name_of(kind)} says nothing")
        try:
            strategy = st.from_type(kind)
            strategy.validate()
        except (ResolutionFailed, InvalidArgument) as error:
            return self._unknown(kind, place, f"nothing is known of {name_of(kind)}", error)
        return strategy

    def _unknown(self, kind: Any, place: str, reason: str, cause: BaseException | None = None) -> SearchStrategy[Any]:
        is_vague = kind is Any or kind is object
        raise NoStrategy(place, key=place.removesuffix("[]") if is_vague else name_of(kind), reason=reason) from cause

    def _record(self, kind: Any, asked: Mapping[str, Constraints]) -> SearchStrategy[Any]:
        cls = get_origin(kind) or kind
        try:
            kinds = fields_of(kind)
        except Exception as error:  # whatever evaluating a user's annotation raises
            raise NoStrategy(cls.__name__, key=cls.__name__, reason=f"its annotations say {error}") from error
        arguments = {
            each.alias: self._field(cls, each, kinds[each.name], asked.get(each.name, FREE))
            for each in attrs.fields(cls)
            if each.init
        }
        building = _Building(cls)
        return st.fixed_dictionaries(arguments).map(building.build).filter(_is_built)

    def _field(self, cls: type, each: attrs.Attribute[Any], kind: Any, asked: Constraints) -> SearchStrategy[Any]:
        place = f"{cls.__name__}.{each.name}"
        for key in (getattr(cls, each.name, None), (cls, each.name)):
            try:
                if key is not None and key in self.overrides:
                    return self.overrides[key]
            except TypeError:  # a class attribute that has no hash is no key
                continue
        taken = _taken(each.converter)
        if taken is None or plain(taken) == plain(kind):
            validator = () if each.validator is None else (each.validator,)
            drawn = self.of(kind, constraints_of(*validator) & asked, place=place)
        else:
            drawn = self.of(taken, place=place)
        usual = each.default
        return drawn if usual is attrs.NOTHING or isinstance(usual, _FACTORY) else st.just(usual) | drawn


_FACTORY: Final[Any] = attrs.Factory
_REFUSED: Final = object()


@define(eq=False)
class _Building:
    """Build instances of a class, and notice when it never takes what is drawn. Owned by one strategy."""

    cls: type
    refused: int = 0
    has_built: bool = False

    def build(self, arguments: Mapping[str, Any]) -> Any:
        """Return an instance, or `_REFUSED`."""
        try:
            built = self.cls(**arguments)
        except Exception as error:
            self.refused += 1
            if not self.has_built and self.refused >= PATIENCE:
                blamed = _blamed(self.cls, arguments)
                raise ValuesRefused(self.cls.__name__, count=self.refused, field=blamed, reason=str(error)) from error
            return _REFUSED
        self.has_built = True
        return built


def _is_built(value: object) -> bool:
    return value is not _REFUSED


def _blamed(cls: Any, arguments: Mapping[str, Any]) -> str | None:
    """Return the first field whose own converter or validator refuses its argument; None where none does alone."""
    blank = object.__new__(cls)
    for each in attrs.fields(cls):
        if each.init:
            try:
                value = arguments[each.alias] if each.converter is None else each.converter(arguments[each.alias])
                if each.validator is not None:
                    each.validator(blank, each, value)
            except Exception:
                return str(each.name)
    return None


def _taken(converter: Any) -> Any:
    """Return the annotation of what a converter takes; None where it does not say."""
    try:
        parameters = list(signature(converter).parameters.values())
        kinds = get_type_hints(converter)
    except Exception:  # no converter, one of C, or one whose annotations cannot be evaluated
        return None
    kind = kinds.get(parameters[0].name) if parameters else None
    return None if kind in (Any, object) else kind


def _stands(asked: Constraints, option: Any) -> bool:
    try:
        fits = not isinstance(option, str) or asked.shortest <= len(option) <= (asked.longest or len(option))
        return fits and asked.lets(option)
    except TypeError:  # an option of another type than the comparison's: the class judges
        return True


def _none_first(options: Iterable[Any]) -> list[Any]:
    """Put None in front: examples shrink towards it."""
    return sorted(options, key=lambda option: option is not type(None))


def _key_name(key: Any) -> str:
    """Return how the key of an override is written: a type, a field, or a class with a name or version."""
    if isinstance(key, tuple):
        return f"({', '.join(name_of(each) if isinstance(each, type) else repr(each) for each in key)})"
    owner = getattr(key, "__objclass__", None)
    return name_of(key) if owner is None else f"{owner.__name__}.{key.__name__}"


def name_of(kind: Any) -> str:
    """Return what a type is called in messages."""
    is_named = isinstance(kind, NewType) or (isinstance(kind, type) and not get_args(kind))
    return kind.__name__ if is_named else str(kind).replace("typing.", "")
