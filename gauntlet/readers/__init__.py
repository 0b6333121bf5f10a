"""Readers: the only place of the library that opens files; records are checked as they are read."""
