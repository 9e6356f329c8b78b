"""`python -m effect_runtime.check PATH...`: print each finding on a line of its own.

Exit status 1 when there are findings, 2 when a path cannot be read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from effect_runtime.check import check_paths
from effect_runtime.errors import SourceUnreadable

USAGE = "usage: python -m effect_runtime.check PATH..."


def main(arguments: Sequence[str]) -> int:
    """Check the named files and folders, print what was found, and return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    try:
        findings = check_paths(arguments)
    except SourceUnreadable as unreadable:
        print(unreadable, file=sys.stderr)
        return 2
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
