"""The `passerelle` command, a file per topic; app/cli.py puts them together."""
