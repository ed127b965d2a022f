"""Heads on frozen hidden states, from random weights to their best dev epoch."""
