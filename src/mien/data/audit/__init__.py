"""Faults of a data set: duplicates, leaks, wrong labels, rows without a face."""
