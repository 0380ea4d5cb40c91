"""The tools, a module for each thing that a client may want."""
