"""Data set audit: duplicates, leakage, label errors, rows without a face."""
