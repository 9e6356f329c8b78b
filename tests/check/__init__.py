"""The source check: what it finds, and what it leaves alone."""
