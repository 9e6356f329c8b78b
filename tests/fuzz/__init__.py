"""Hostile inputs: envelopes, payloads, wire manifests and database files, from a seed that anyone can run again."""
