"""From frames to what people keep or look at: drawings, tables, files. Nothing here recognises."""
