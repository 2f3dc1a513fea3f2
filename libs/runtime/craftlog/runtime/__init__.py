"""How a service runs: the log, projections, stores, settings and telemetry."""
