"""Input and output of pixels: pictures, videos, cameras; nothing here knows of faces."""
