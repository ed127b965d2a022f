"""What was measured, in which unit, by whom: criteria, measurements, and the DuckDB store.

The bottom room of the house: everything else may import it, it imports nothing of the house,
and it never imports torch.
"""
