"""One program that fails for every stable code. A module here registers its programs with `@fails_with(Code.ER201)`."""
