"""Domain events, their queue, and the effect that emits one."""
