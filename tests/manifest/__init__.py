"""The wire manifest: its text, what a change means, what it remembers, golden payloads, and the two commands."""
