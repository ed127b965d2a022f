"""From stored rows to measurements: one module per aspect, pure functions of what a run stored."""
