"""The page of messages: what each code prints, taken from the programs that trigger it.

Knows which program breaks which rule. Places are shortened, because lines of tests help nobody.
"""

from __future__ import annotations

import re
from typing import Final

from effect_runtime.check import Finding
from effect_runtime.errors import Code
from tests.codes.registry import Offence, failing_programs, offences
from tests.docs.pages import ROOT

# From the root on, whose own name may hold anything.
_PATH: Final = re.compile(re.escape(str(ROOT)) + r"(?:/[\w.-]+)*/(\w+\.py):\d+")
_MODULE: Final = re.compile(r"\btests\.codes\.(\w+)")
_INTRO: Final = """# Messages

One message for each [code](../codes.md), as it is printed: the code, the place, what is wrong, the way out. They come
from the programs in `tests/codes` that break one rule each; paths and lines are shortened here.
"""


def messages_page() -> str:
    """Return the text of the page."""
    programs = failing_programs()
    parts = [_INTRO]
    for code in Code:
        program = next(iter(programs[code]))
        (offence,) = offences(program)
        parts.append(f"## {code.name}: {code.title}\n\n```text\n{printed(offence)}\n```\n")
    return "\n".join(parts)


def printed(offence: Offence) -> str:
    """Return an offence as it is printed, with short places."""
    if isinstance(offence, Finding):
        return f"shop.py:12:5: {offence.code.name} {offence.problem} {offence.fix}"
    text = str(offence).replace("<locals>.", "")
    return _MODULE.sub(r"\1", _PATH.sub(r"\1:12", text))
