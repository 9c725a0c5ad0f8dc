"""Networks: a registry, and one file per family."""

from mien.models import mien_s, s1
from mien.models.registry import NetworkEntry, network_entry, network_names

__all__ = ["NetworkEntry", "mien_s", "network_entry", "network_names", "s1"]
