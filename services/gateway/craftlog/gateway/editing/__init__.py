"""Context editing on read: a history made smaller, in which every call keeps its result. Pure."""

from craftlog.gateway.editing.applying import Edited, edit
from craftlog.gateway.editing.strategies import Strategy, strategies

__all__ = ["Edited", "Strategy", "edit", "strategies"]
