"""Say what a test run covered: per adapter whether it ran, then one plain closing line.

Reads the JUnit file of pytest and nothing else.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ADAPTERS = ("memory", "sqlite")


def outcome(case: ElementTree.Element) -> str:
    """Return `failed`, `skipped` or `passed`."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def adapter_line(adapter: str, cases: list[ElementTree.Element]) -> tuple[str, bool]:
    """Return what to print of one adapter, and whether any of its tests ran."""
    own = [case for case in cases if adapter in f"{case.get('classname')}.{case.get('name')}".lower()]
    ran = sum(outcome(case) != "skipped" for case in own)
    if ran:
        return f"{adapter}: ran ({ran} tests)", True
    reasons = {skip.get("message", "") for case in own for skip in case.iter("skipped")}
    return f"{adapter}: skipped: {'; '.join(sorted(reasons)) or 'no test names it'}", False


def main(report: Path) -> int:
    """Print the report of one JUnit file; return 1 when it is missing or an embedded adapter did not run."""
    if not report.exists():
        print("pytest wrote no report\n0 passed, 1 failed")
        return 1
    cases = list(ElementTree.parse(report).iter("testcase"))
    lines = [adapter_line(adapter, cases) for adapter in ADAPTERS]
    print(*(line for line, _ in lines), sep="\n")
    counts = {kind: sum(outcome(case) == kind for case in cases) for kind in ("passed", "failed", "skipped")}
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 0 if all(ran for _, ran in lines) and counts["passed"] else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
