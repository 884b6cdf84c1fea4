"""What clients install: directories of their own formats, copied out by `lineal init`."""
