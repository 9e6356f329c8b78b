"""Values to canonical JSON and back, by their annotations.

The only module that knows `cattrs`, which generates the code for attrs classes. Reading collects every fault with its
path; unknown fields are ignored. Knows no envelope and no topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache, partial
from hashlib import blake2b
from typing import Any, Final, Literal, TypeVar, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import AttributeValidationNote, ClassValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from effect_runtime.errors import Undecodable, Unserializable
from effect_runtime.integration._composites import READ, WRITE, Composites, sentence
from effect_runtime.integration._fields import FieldError, FieldErrors, Unfit, by_path
from effect_runtime.integration._json import BadJson, canonical, parse
from effect_runtime.integration._leaves import (
    READERS,
    WRITERS,
    Leaf,
    enum_reader,
    enum_writer,
    literal_leaf,
    no,
)
from effect_runtime.integration._secrets import Secrets
from effect_runtime.integration._shape import (
    ARRAYS,
    TABLES,
    hints,
    is_attrs,
    is_enum,
    is_typed_id,
    is_union,
    misfits,
    name_of,
    plain,
)

A = TypeVar("A")

_TAKEN: Final = frozenset({"cl", "converter"})
"""What the code generators call their own parameters: no field may be passed to them under these names."""

# Detailed, so that reading goes on after the first fault and tells of each with its field.
_MISSING: Final = "is missing"
_MARKED: Final = Secrets()
"""What is secret by its annotation. What an application lists besides is its own affair, and not known here."""
_converter: Final = Converter(detailed_validation=True)


def encode_value(value: object, kind: Any) -> bytes:
    """Encode a value of the annotated type `kind` as canonical JSON; raises `errors.Unserializable`."""
    return _encoded(value, writer, kind)


def decode_value(body: bytes, kind: Any) -> Any:
    """Decode a value of the annotated type `kind`; raises `errors.Undecodable` with every fault."""
    try:
        form = parse(body)
    except BadJson as error:
        raise Undecodable(name_of(kind), faults={"": str(error)}) from error
    return structure_value(kind, form)


def structure_value(kind: Any, form: object) -> Any:
    """Build a value of the annotated type `kind` from its JSON form, parts of which may be such values already.

    Raises `errors.Undecodable` with every fault.
    """
    try:
        return reader(kind)(form)
    except Unfit as error:
        raise Undecodable(name_of(kind), faults=by_path(error.errors)) from error


def encode_fields(record: object) -> bytes:
    """Encode an attrs instance as an object of its fields; raises `errors.Unserializable`."""
    return _encoded(record, record_writer, type(record))


def structure_all(kind: type[A], fields: Mapping[str, object]) -> A | FieldErrors:
    """Build an attrs instance from plain fields, or tell everything that is wrong with them.

    Types and attrs validators of every field are asked, nested ones too; unknown fields are ignored.
    """
    try:
        return record_reader(plain(kind))(fields)  # type: ignore[no-any-return]  # a reader of A answers A
    except Unfit as error:
        return FieldErrors(error.errors)


def fingerprint(name: str, message: object) -> bytes:
    """Digest a message and its name: equal for equal messages in every process and version of Python."""
    # Canonical bytes, never `hash` or `repr`: the digest is stored and compared by other processes and later
    # versions.
    body = encode_fields(message) if is_attrs(type(message)) else encode_value(message, type(message))
    # A zero byte stands in no name, so a longer name and a shorter body never digest alike.
    return blake2b(name.encode() + b"\x00" + body, digest_size=16).digest()


def storable(kind: Any) -> str | None:
    """Tell why values of a type cannot be encoded, or None if they can."""
    found = misfits(kind, path="", flat=False)
    return "; ".join(f"{misfit.path}: {misfit.problem}" if misfit.path else misfit.problem for misfit in found) or None


@cache
def writer(kind: Any) -> Leaf:
    """Make the function that turns a value of a type into JSON; it raises `Unfit`."""
    return _made(plain(kind), leaves=WRITERS, enum=enum_writer, composites=WRITE, record=record_writer, of=writer)


@cache
def reader(kind: Any) -> Leaf:
    """Make the function that turns JSON into a value of a type; it raises `Unfit`."""
    return _made(plain(kind), leaves=READERS, enum=enum_reader, composites=READ, record=record_reader, of=reader)


@cache
def record_writer(cls: type) -> Leaf:
    """Make the function that turns an attrs instance into an object."""
    writers = {name: writer(kind) for name, kind in hints(cls).items()}
    generated = _generated_writer(cls, writers)

    def write(value: Any) -> dict[str, Any]:
        # Not `isinstance`: what a subclass adds is in no annotation, and would be dropped without a word.
        if type(value) is not cls:
            raise no(value, cls.__name__)
        try:
            return generated(value)  # type: ignore[no-any-return]  # generated code is untyped
        except Unfit:
            # The generated code is fast and nameless: ask each field again to say which.
            raise Unfit(*_write_errors(value, writers)) from None

    return write


@cache
def record_reader(cls: type) -> Leaf:
    """Make the function that turns an object into an attrs instance."""
    readers = {name: reader(kind) for name, kind in hints(cls).items()}
    generated = _generated_reader(cls, readers)
    secret = frozenset(name for name, kind in hints(cls).items() if _MARKED.mentions(kind))

    def read(value: Any) -> Any:
        # A dynamic door may be handed the value itself.
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise no(value, "an object")
        try:
            return generated(value)
        except ClassValidationError as error:
            errors = _read_errors(cls, readers, value, error)
            raise Unfit(*(each.without_reason() if _tells(each, secret) else each for each in errors)) from error

    return read


def _tells(error: FieldError, secret: frozenset[str]) -> bool:
    """Tell whether an error may quote a secret: validators do, and whoever refuses the whole may quote any field."""
    return bool(secret) and error.problem != _MISSING and (not error.field or error.first in secret)


def _made(
    kind: Any,
    *,
    leaves: Mapping[Any, Leaf],
    enum: Callable[[type[Enum]], Leaf],
    composites: Composites,
    record: Callable[[type], Leaf],
    of: Callable[[Any], Leaf],
) -> Leaf:
    origin = get_origin(kind) or kind
    if kind in leaves:
        return leaves[kind]
    if is_enum(kind):
        return enum(kind)
    if origin is Literal:
        return literal_leaf(kind)
    if is_typed_id(kind):
        return composites.typed_id(kind, of)
    if is_union(kind):
        return composites.union(kind, of, partial(_later, record))
    if origin is tuple or origin in ARRAYS:
        return composites.array(kind, of)
    if origin in TABLES:
        return composites.table(kind, of)
    if is_attrs(kind):
        return _later(record, kind)
    raise Unfit.because(f"{name_of(kind)} has no form on the wire")


def _later(record: Callable[[type], Leaf], cls: type) -> Leaf:
    # Asked for at each use, from its cache: made at once, a class that contains itself would never be done.
    return lambda value: record(cls)(value)


def _encoded(value: object, make: Callable[[Any], Leaf], kind: Any) -> bytes:
    try:
        return canonical(make(kind)(value))
    except Unfit as error:
        raise Unserializable(name_of(kind), faults=by_path(error.errors)) from error


def _generated_writer(cls: type, writers: Mapping[str, Leaf]) -> Leaf:
    if _TAKEN & writers.keys():
        return lambda value: {name: write(getattr(value, name)) for name, write in writers.items()}
    hooks: Any = {name: override(unstruct_hook=write) for name, write in writers.items()}
    # Without linecache, which would keep the generated source of every class for ever.
    return make_dict_unstructure_fn(cls, _converter, _cattrs_use_linecache=False, **hooks)


def _generated_reader(cls: type, readers: Mapping[str, Leaf]) -> Leaf:
    if _TAKEN & readers.keys():
        return partial(_read_by_hand, cls, readers)
    hooks: Any = {name: override(struct_hook=_for_cattrs(read)) for name, read in readers.items()}
    structure: Any = make_dict_structure_fn(cls, _converter, _cattrs_use_linecache=False, **hooks)
    return lambda value: structure(value, cls)


def _for_cattrs(read: Leaf) -> Callable[[Any, Any], Any]:
    return lambda value, _: read(value)


def _read_by_hand(cls: type, readers: Mapping[str, Leaf], fields: Mapping[str, Any]) -> Any:
    """Do what generated code does, with its errors, for field names that the generator cannot be given."""
    arguments, errors = {}, list[Exception]()
    for field in attrs.fields(cls):
        if field.name not in readers or (field.name not in fields and field.default is not attrs.NOTHING):
            continue
        try:
            arguments[field.alias] = readers[field.name](fields[field.name])
        except Exception as error:
            error.__notes__ = [AttributeValidationNote(field.name, field.name, field.type)]
            errors.append(error)
    try:
        if not errors:
            return cls(**arguments)
    except Exception as error:
        errors.append(error)
    refused: Any = ClassValidationError  # pyright does not see its __new__
    raise refused(cls.__name__, errors, cls)


def _write_errors(record: object, writers: Mapping[str, Leaf]) -> Iterator[FieldError]:
    for name, write in writers.items():
        try:
            write(getattr(record, name))
        except Unfit as error:
            yield from error.at(name)


def _read_errors(
    cls: type, readers: Mapping[str, Leaf], fields: Mapping[str, object], error: ClassValidationError
) -> Iterator[FieldError]:
    noted, plain_errors = error.group_exceptions()
    for reason, note in noted:
        yield from reason.at(note.name) if isinstance(reason, Unfit) else (_unread(note.name, reason),)
    known = {note.name for _, note in noted}
    # Generated code keeps nothing of what went well, so the sound fields are read a second time: only where one is
    # not.
    values = {name: readers[name](fields[name]) for name in readers if name not in known and name in fields}
    refused = tuple(_validation_errors(cls, values))
    yield from refused
    if not refused:
        yield from (FieldError("", sentence(reason)) for reason in plain_errors)


def _unread(name: str, reason: Exception) -> FieldError:
    return FieldError(name, _MISSING if isinstance(reason, KeyError) else sentence(reason))


def _validation_errors(cls: type, values: Mapping[str, Any]) -> Iterator[FieldError]:
    """Ask the validator of each field that could be read, because a constructor stops at its first refusal."""
    # No constructor, which would ask the validators itself and stop at the first. They may look at the other fields.
    instance: Any = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(instance, name, value)
    for field in attrs.fields(cls):
        if field.name in values and field.validator is not None:
            try:
                field.validator(instance, field, values[field.name])
            except Exception as reason:
                yield FieldError(field.name, sentence(reason))
