"""What a newcomer wrote after the README and the tutorial: a third context beside the tutorial's two.

`contracts.py` is the tutorial's own block, so that the checkers see what `reading_club.py` imports.
"""
