"""How events leave without loss and arrive once: relay, consumer, dead letters, and the ports of a store."""
