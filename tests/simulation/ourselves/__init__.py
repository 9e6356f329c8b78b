"""Worlds of our own: the example library, and what carries it, under every crash and every order that time allows."""
