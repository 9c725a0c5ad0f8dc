"""Recognition: detect, align, classify, track, smooth. From images to frames; nothing here writes."""
