"""Who a request comes from, as fairness and rate limits count."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

UNKNOWN: Final = "unknown"
"""A client without an address, as on a Unix socket."""

_CUSTOMER: Final = 64
"""Bits of an IPv6 address that a provider gives one customer, who may choose the others for every connection."""


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, also where IPv6 carries it, or an IPv6 address's /64 network."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return address
    return str(known.ipv4_mapped or IPv6Network((known, _CUSTOMER), strict=False))
