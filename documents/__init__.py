"""Attached files: told apart, scanned, kept encrypted in a store, and swept when nothing on record names them."""
