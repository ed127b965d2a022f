"""The command line of TrustSER."""

__version__ = "0.1.0"
