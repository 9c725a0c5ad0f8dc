"""The exceptions of `fer`, under its names; each is a `mien.MienError` too."""

from mien.errors import InputError, MienError, ModelFileError


class InvalidImage(InputError, ValueError):  # noqa: N818 - fer's name
    """What was given as a picture is none."""


class InvalidModelFile(ModelFileError):  # noqa: N818 - fer's name
    """The model cannot be loaded."""


class FaceDetectionError(MienError):
    """The search for faces failed."""
