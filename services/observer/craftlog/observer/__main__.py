"""`python -m craftlog.observer`."""

from craftlog.observer.app import main

main()
