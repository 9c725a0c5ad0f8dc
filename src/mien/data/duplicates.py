"""Deduplication: exact duplicates by hash, and connected components of pairs of rows."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def first_identical(faces: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Deduplicate: for each face the number of the first face with the same pixels, which may be its own.

    Args:
        faces: uint8 (N, H, W).

    Returns:
        (N,). Faces are compared by SHA-256, so that they are read once and not kept.
    """
    first: dict[bytes, int] = {}
    digests = (hashlib.sha256(face.tobytes()).digest() for face in faces)
    return np.array([first.setdefault(digest, row) for row, digest in enumerate(digests)], np.intp)


def groups_of(group: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Members of each group of at least two, ascending, by their first member.

    Args:
        group: number of the group that each of N rows belongs to (N,).
    """
    order = np.argsort(group, kind="stable")
    ends = np.flatnonzero(np.diff(group[order])) + 1
    groups = [members for members in np.split(order, ends) if len(members) > 1]
    return sorted(groups, key=lambda members: int(members[0]))


def linked(count: int, rows: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.intp]:
    """Connected components (union-find): for each item the lowest one it is linked to, directly or through others.

    Args:
        count: how many items there are.
        rows: one end of each link (P,).
        others: the other end (P,).

    Returns:
        (count,), each at most its own index.
    """
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item

    for row, other in zip(rows.tolist(), others.tolist(), strict=True):
        low, high = sorted((root(row), root(other)))
        parent[high] = low
    return np.array([root(item) for item in range(count)], np.intp)
