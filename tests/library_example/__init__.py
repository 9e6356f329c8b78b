"""The rules of the example library, from its pure decisions up to both contexts in one app."""
