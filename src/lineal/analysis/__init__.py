"""The words of a text: what is looked up when somebody searches, and how a text speaks of time."""
