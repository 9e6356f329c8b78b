"""Payloads of a shape, as a committed manifest remembers it: what programs of an older version may have written.

Knows JSON and paths; knows no class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from effect_runtime.integration import FieldShape, encode_value
from effect_runtime.testing.properties._constraints import Constraints
from effect_runtime.testing.properties._scalars import SCALARS

_WORDS: Final[Mapping[str, str]] = MappingProxyType({"text": "str", "decimal": "Decimal", "uuid": "UUID"})
"""The scalars whose word on the wire is not the name of their class."""

_BY_NAME: Final[Mapping[str, Any]] = MappingProxyType({kind.__name__: kind for kind in SCALARS})


def payloads(shapes: Mapping[str, FieldShape]) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy of payloads; fields that a reader does without are left out in some."""
    return _members(shapes, "")


def _members(shapes: Mapping[str, FieldShape], path: str) -> SearchStrategy[dict[str, Any]]:
    below = _below(shapes, path)
    required = {step: _values(shapes, each) for step, each in below.items() if not shapes[each].is_optional}
    optional = {step: _values(shapes, each) for step, each in below.items() if shapes[each].is_optional}
    return st.fixed_dictionaries(required, optional=optional)


def _below(shapes: Mapping[str, FieldShape], path: str) -> dict[str, str]:
    """Return the paths right below one, by their last step."""
    step = re.compile(rf"{re.escape(path)}(?:\.(\w+)|(\[\d*\]))" if path else r"(\w+)")
    found = ((step.fullmatch(each), each) for each in shapes)
    return {match[match.lastindex or 1]: each for match, each in found if match}


def _values(shapes: Mapping[str, FieldShape], path: str) -> SearchStrategy[Any]:
    shape = shapes[path]
    if shape.kind == "choice":
        values: SearchStrategy[Any] = st.sampled_from([json.loads(each) for each in shape.choices])
    elif shape.kind == "record":
        values = _members(shapes, path)
    elif shape.kind == "array":
        values = st.lists(_values(shapes, f"{path}[]"), max_size=2)
    elif shape.kind == "tuple":
        values = st.tuples(*(_values(shapes, each) for each in _below(shapes, path).values())).map(list)
    else:
        kind = _BY_NAME[_WORDS.get(shape.kind, shape.kind)]
        values = SCALARS[kind](Constraints(shortest=1)).map(lambda value: json.loads(encode_value(value, kind)))
    return st.none() | values if shape.is_nullable else values
