"""What attrs validators ask of a value, read from the validators themselves.

A validator that says nothing of what it wants, such as a function of the user's, judges later. Draws nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen, validators

Bound: TypeAlias = tuple[str, Any]
"""A comparison that a value must stand: `("<=", 60)`."""

COMPARES: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">=": operator.ge, ">": operator.gt}
)


@frozen(kw_only=True)
class Constraints:
    """What is asked of one value, and by `members`, `keys` and `values` of what it holds.

    `options` are the only values allowed; `kinds` the only classes; `matches` the bound methods of patterns.
    """

    shortest: int = 0
    longest: int | None = None
    bounds: tuple[Bound, ...] = ()
    options: Sequence[Any] | None = None
    matches: tuple[Callable[[Any], Any], ...] = ()
    kinds: tuple[type, ...] = ()
    members: tuple[Any, ...] = ()
    keys: tuple[Any, ...] = ()
    values: tuple[Any, ...] = ()

    def __and__(self, other: Constraints) -> Constraints:
        """Return what both ask."""
        longest = [limit for limit in (self.longest, other.longest) if limit is not None]
        options = self.options if other.options is None else other.options
        if self.options is not None and other.options is not None:
            options = tuple(option for option in self.options if option in other.options)
        return Constraints(
            shortest=max(self.shortest, other.shortest),
            longest=min(longest, default=None),
            bounds=(*self.bounds, *other.bounds),
            options=options,
            matches=(*self.matches, *other.matches),
            kinds=(*self.kinds, *other.kinds),
            members=(*self.members, *other.members),
            keys=(*self.keys, *other.keys),
            values=(*self.values, *other.values),
        )

    def bound(self, *operators: str) -> Any:
        """Return the narrowest bound by some operators, all from one side; None if there is none."""
        found = [value for name, value in self.bounds if name in operators]
        narrowest = max if operators[0].startswith(">") else min
        return narrowest(found, default=None)

    def lets(self, value: Any) -> bool:
        """Tell whether a value stands the comparisons, and a text the patterns; lengths are kept by whoever draws."""
        return all(COMPARES[name](value, limit) for name, limit in self.bounds) and (
            not isinstance(value, str) or all(match(value) for match in self.matches)
        )

    def inside(self) -> Constraints:
        """Return what is asked of anything but the classes, once those are chosen."""
        return evolve(self, kinds=())


FREE: Final = Constraints()
"""Nothing is asked."""


def constraints_of(*asked: Any) -> Constraints:
    """Read some validators, of which all must be satisfied; None asks nothing."""
    return reduce(operator.and_, (_READERS.get(type(each), _judge)(each) for each in asked), FREE)


def _judge(validator: Any) -> Constraints:
    """Learn nothing from a validator that only judges."""
    return FREE


def _all(validator: Any) -> Constraints:
    return constraints_of(*validator._validators)


def _deep(validator: Any) -> Constraints:
    return constraints_of(validator.iterable_validator) & Constraints(members=(validator.member_validator,))


def _deep_mapping(validator: Any) -> Constraints:
    return constraints_of(validator.mapping_validator) & Constraints(
        keys=(validator.key_validator,), values=(validator.value_validator,)
    )


def _options(validator: Any) -> Constraints:
    options = validator._original_options
    if isinstance(options, set | frozenset):
        return Constraints(options=sorted(options, key=repr))  # an order that no hash seed changes
    return Constraints(options=options if isinstance(options, range) else tuple(options))


def _kinds(validator: Any) -> Constraints:
    kinds = validator.type if isinstance(validator.type, tuple) else (validator.type,)
    return Constraints(kinds=kinds)


# attrs keeps the classes of its validators to itself, so each is taken from one that its factory has made.
_READERS: Final[Mapping[type, Callable[[Any], Constraints]]] = MappingProxyType(
    {
        type(validators.min_len(0)): lambda asked: Constraints(shortest=asked.min_length),
        type(validators.max_len(0)): lambda asked: Constraints(longest=asked.max_length),
        type(validators.ge(0)): lambda asked: Constraints(bounds=((asked.compare_op, asked.bound),)),
        type(validators.in_(())): _options,
        type(validators.matches_re("")): lambda asked: Constraints(matches=(asked.match_func,)),
        type(validators.optional(validators.ge(0))): lambda asked: constraints_of(asked.validator),
        type(validators.instance_of(int)): _kinds,
        type(validators.and_()): _all,
        type(validators.deep_iterable(validators.ge(0))): _deep,
        type(validators.deep_mapping(validators.ge(0), validators.ge(0))): _deep_mapping,
    }
)
