"""The training queue: trainings of a list, one after the other, behind all other work.

A tool of this repository for those who develop it; no part of the package. CONTRIBUTING.md says how it is used.
"""
