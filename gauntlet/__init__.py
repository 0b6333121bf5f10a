"""Gauntlet: functions that shift data, attack and harden models, and measure what is left.

Importable without DVC or Prefect. Heavy or optional imports stay inside the modules that need them.
"""
