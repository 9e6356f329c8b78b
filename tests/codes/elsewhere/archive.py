"""A context of its own: what is defined here belongs to the archive."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from effect_runtime import A, Context, Do, DomainEvent, E, Events


@frozen
class ArchiveRuntime:
    """What the archive may use."""

    events: Events


archive = Context("archive", ArchiveRuntime)
Archive: TypeAlias = Do[A, E, ArchiveRuntime]


@frozen
class FileAway:
    """The archive's own command."""

    name: str


@frozen
class FiledOccurred(DomainEvent):
    """The archive's own event."""

    name: str


@archive.command(access="public")
def file_away(command: FileAway) -> Archive[None]:
    """Do nothing."""
    yield from archive.runtime
