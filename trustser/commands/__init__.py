"""The commands, one module per subject; each loads what it needs when it runs."""
