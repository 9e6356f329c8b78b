"""Find the slips of do-blocks that no type checker sees, by reading source.

    python -m effect_runtime.check src tests

Effects that are built and lost (ER501), effects yielded without `from` (ER502), failures that are not
returned (ER503). It parses and never imports what it checks. `# noqa: ER501` on a line accepts that line.
"""

from __future__ import annotations

from effect_runtime.check._rules import Finding
from effect_runtime.check._source import check_paths, check_source

__all__ = ["Finding", "check_paths", "check_source"]
