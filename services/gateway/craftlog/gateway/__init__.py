"""The HTTP door: checks who you are and what you sent, appends, answers from read models."""
