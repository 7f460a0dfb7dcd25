"""What operators do on the command line. Every command imports what it needs itself, so that `--help` comes at once."""
