"""lineal: a memory for AI agents that knows where each thing came from and when it ends."""

__all__ = ["__version__"]

__version__ = "0.1.0"
