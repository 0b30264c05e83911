"""`python -m ktui`."""

from ktui.cli import main

main()
