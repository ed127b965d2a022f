"""From stored rows to figures, one module per aspect, and what computes the rows."""
