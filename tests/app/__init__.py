"""The application: doors, life cycle, verification, two contexts over one wire."""
