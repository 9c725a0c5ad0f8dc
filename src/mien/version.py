"""The version of the package, in a module of its own: results state it, and must not import the public names."""

__version__ = "0.1.0"
