"""The rules of the library under random commands through dispatch, over both technologies and on both loops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings

from effect_runtime import App
from effect_runtime.integration import Transport
from effect_runtime.interpreter import Interceptor
from library_example.app import library, library_in_memory
from tests.library_example.machine import LibraryMachine


class OverMemory(LibraryMachine):
    """The library in memory."""

    @staticmethod
    def make(folder: Path, *, wire: Transport, interceptors: Sequence[Interceptor]) -> App:
        """Describe the app."""
        return library_in_memory(wire=wire, interceptors=interceptors)


class OverSqlite(LibraryMachine):
    """The library over two SQLite files."""

    @staticmethod
    def make(folder: Path, *, wire: Transport, interceptors: Sequence[Interceptor]) -> App:
        """Describe the app."""
        return library(folder, wire=wire, interceptors=interceptors)


TestRulesOverMemory = OverMemory.TestCase
TestRulesOverMemory.settings = settings(stateful_step_count=30)

TestRulesOverSqlite = OverSqlite.TestCase
TestRulesOverSqlite.settings = settings(max_examples=settings().max_examples * 5 // 8, stateful_step_count=30)
