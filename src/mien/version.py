"""The version of the package: a floor of its own, so that whatever states it need not import the public names."""

__version__ = "0.1.0"
