"""Exports that take half of the time."""

import pytest


@pytest.fixture(autouse=True)
def _quick_exports(_operators_once):
    """In all tests of this room."""
