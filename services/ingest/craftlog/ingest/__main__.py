"""`python -m craftlog.ingest`."""

from craftlog.ingest.app import main

main()
