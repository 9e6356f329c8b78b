"""The testing kit at the level of units and properties."""
