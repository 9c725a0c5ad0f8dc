"""From pictures to expressions: reading pictures, recognising, drawing."""
