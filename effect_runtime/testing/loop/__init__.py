"""What runs next, in virtual time, and what it must not touch: everything under a run that knows no application."""
