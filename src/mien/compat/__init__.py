"""The calls of other packages on top of mien, for programs that were written for them.

Written from the documentation of those packages; docs/guide/coming_from.md has the table of differences.
"""
