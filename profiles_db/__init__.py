"""What was measured, in which unit, by whom: criteria, measurements, and the DuckDB store.

The lowest package: all others may import it, it imports none of them,
and it never imports torch.
"""
