"""Scores, requirements, and how sure a ranking is."""
