"""The catalog: which books there are, how many copies of each, and how many of those are out."""
