"""The tests, laid out as the chapters are."""
