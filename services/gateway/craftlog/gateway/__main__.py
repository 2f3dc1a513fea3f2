"""Start the gateway: ``python -m craftlog.gateway``."""

from craftlog.gateway.app import main

main()
