"""Data sets as they are found: csv files, archives, folders of pictures."""
