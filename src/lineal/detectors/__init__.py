"""Detectors behind the secrets port."""
