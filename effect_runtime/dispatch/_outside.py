"""What stands in for a runtime where no unit of work is open. Knows no dispatcher and no door."""

from __future__ import annotations

from typing import Any

from effect_runtime.errors import RuntimeOutsideUnit


class OutsideUnit:
    """Stand in for a runtime where no unit of work is open: every use is a defect that says so."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        # Python asks for these itself, to copy or to inspect: they are missing as attributes are.
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeOutsideUnit(name)
