"""Pixels in and out; nothing here knows of faces."""
