"""The edition that runs wholly in a browser: a static folder, written by `mien web`."""
