"""Lending: who has which copy of which book, and until when."""
