"""What is said of a picture file whose decoding would cost far more than its size and its pixels say."""

from mien.errors import TooLargeError


def too_costly(name: str, what: str, mend: str = "save it anew with another program") -> TooLargeError:
    """The error that refuses it.

    Args:
        name: of the file.
        what: costs so much.
        mend: what to do about it.
    """
    return TooLargeError(f"{name}: too costly to decode ({what}); {mend}")
