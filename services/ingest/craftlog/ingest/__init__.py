"""Projects what users sent into MongoDB and keeps the bucket in step with it."""
