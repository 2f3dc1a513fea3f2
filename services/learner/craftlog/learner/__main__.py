"""Runs the learner."""

from craftlog.learner.app import main

main()
