"""Stories: one claim of the whole library each, told with real parts from the door to the delivered event."""
