"""The commands: each parses, calls the library and prints. Only here are click and the standard streams touched."""
