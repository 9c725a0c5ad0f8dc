"""mien: facial expression recognition, the whole way from a data set to pictures."""

__version__ = "0.1.0"
