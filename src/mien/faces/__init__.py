"""Faces in pictures: finding them, bringing them into the frame of the training faces."""
