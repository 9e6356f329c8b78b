"""The composition root: the only file that knows both contexts. Changing a store or the wire changes nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from effect_runtime import App
from effect_runtime.integration import Transport
from effect_runtime.interpreter import Host, Interceptor
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.transports import InProcess
from library_example.catalog import memory as catalog_memory
from library_example.catalog import sqlite as catalog_sqlite
from library_example.catalog.handlers import catalog
from library_example.lending import memory as lending_memory
from library_example.lending import sqlite as lending_sqlite
from library_example.lending.handlers import lending
from library_example.lending.ports import Post
from library_example.lending.post import silent

WIRE: Final = Path(__file__).with_name("wire.json")
"""What the library has promised on the wire: code that breaks it does not start."""


def library(
    folder: Path,
    *,
    wire: Transport | None = None,
    post: Post = silent,
    interceptors: Sequence[Interceptor] = (),
    host: Host | None = None,
) -> App:
    """Describe the library over two SQLite files in `folder`, one for each context; `post` carries its notices."""
    return App(
        "library",
        wire=wire or InProcess(),
        manifest=WIRE,
        interceptors=interceptors,
        host=host,
        contexts=[
            catalog.bind(
                catalog_sqlite.make_catalog,
                catalog_sqlite.make_catalog_reads,
                store=SqliteStore(folder / "catalog.db", migrations=catalog_sqlite.MIGRATIONS),
            ),
            lending.bind(
                partial(lending_sqlite.make_lending, post=post),
                lending_sqlite.make_lending_reads,
                store=SqliteStore(folder / "lending.db", migrations=lending_sqlite.MIGRATIONS),
            ),
        ],
    )


def library_in_memory(
    *,
    wire: Transport | None = None,
    post: Post = silent,
    interceptors: Sequence[Interceptor] = (),
    host: Host | None = None,
) -> App:
    """Describe the library without files; it forgets everything when it stops."""
    return App(
        "library",
        wire=wire or InProcess(),
        manifest=WIRE,
        interceptors=interceptors,
        host=host,
        contexts=[
            catalog.bind(catalog_memory.make_catalog, catalog_memory.make_catalog_reads, store=MemoryStore("catalog")),
            lending.bind(
                partial(lending_memory.make_lending, post=post),
                lending_memory.make_lending_reads,
                store=MemoryStore("lending"),
            ),
        ],
    )
