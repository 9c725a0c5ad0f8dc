"""Output of results: sinks, drawings, tables, videos, a window. Nothing here recognises."""
