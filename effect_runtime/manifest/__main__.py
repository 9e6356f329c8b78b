"""`python -m effect_runtime.manifest check|write MODULE:APP FILE`.

Exit status 0 when the committed file says what the code says, 1 when something that was promised is broken, 2 when
the application or the file cannot be read, 3 when the file is only older than the code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from effect_runtime.errors import EffectRuntimeError
from effect_runtime.manifest._command import parser

UNREADABLE = 2


def main(arguments: Sequence[str]) -> int:
    """Run one command, print what it found, and return the exit status."""
    words = parser().parse_args(arguments)
    try:
        status: int = words.run(words)
    except EffectRuntimeError as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
