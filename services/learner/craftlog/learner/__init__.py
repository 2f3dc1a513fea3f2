"""Turns finished tasks into skills and files them in a space."""
