"""How Craftlog is tested: given-when-then, one example of every event, real servers."""
