"""From images to frames; nothing here writes."""
