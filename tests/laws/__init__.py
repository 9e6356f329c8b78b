"""Laws: what holds for every program, the oracle that agrees, and the mutants that the laws kill."""
