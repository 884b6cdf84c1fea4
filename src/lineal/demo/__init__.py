"""The main job on a real conversation, through the server as a client sees it."""
