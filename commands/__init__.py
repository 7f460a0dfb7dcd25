"""Operator commands. Commands import what they need lazily, so that `--help` appears at once."""
