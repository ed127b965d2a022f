"""Frozen speech backbones: the catalogue of known ones, and how any of them is loaded."""
