"""A run: processes on their ground, clients, claims, and what came of it all. Knows no search."""
