"""Comparable figures for every candidate: published, or measured."""
