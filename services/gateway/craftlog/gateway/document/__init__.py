"""What the gateway says of itself: every route, what it takes and what it gives."""
