"""A module that registers no handler."""
