"""Dispatch: contexts, the pipeline, and the unit of work, on every store and both async engines."""
