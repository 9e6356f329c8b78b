"""Topics, identities, the codec, envelopes and upcasters: how an event becomes bytes and comes back."""
