"""Every store and every backend through one suite each."""
