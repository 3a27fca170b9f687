"""A shop with life in it, for pictures of it."""
