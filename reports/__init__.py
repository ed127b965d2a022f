"""Decisions and profiles as self-contained HTML pages."""
