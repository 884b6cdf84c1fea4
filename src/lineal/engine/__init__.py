"""The embedded backend's mind: what a call means for the rows of a store."""
