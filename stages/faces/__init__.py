"""Protect a folder of pictures of faces, verify what they carry, and audit how well the protection holds."""
