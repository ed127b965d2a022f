"""A run cut into jobs that are done once, wherever they run, and kept."""
