"""Runs the search service."""

from craftlog.search.app import main

main()
