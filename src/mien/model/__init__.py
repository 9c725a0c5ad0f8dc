"""Model files: an ONNX network with its card, and how it is run."""
