"""Which runs are tried, what was covered, and how the smallest that fails is told."""
