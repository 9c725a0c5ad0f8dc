"""Data sets: reading, storing, splitting, auditing, exporting."""
