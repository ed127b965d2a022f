"""The decision in words, every sentence made from its data."""
