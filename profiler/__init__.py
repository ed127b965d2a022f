"""Train heads on a frozen speech backbone and measure five aspects of trust.

Importing this package does not import torch; the modules that compute do.
"""
