"""Effects as values, one unit of work, events that are never lost."""
