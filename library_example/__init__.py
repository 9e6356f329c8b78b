"""A library in two contexts, catalog and lending, that share nothing but contracts.

Run it with `python -m library_example`; read `lending/handlers.py` first, `app.py` last.
"""
