"""What is true of every call, whatever backend it goes to."""

from lineal.service.pointers import Pointers
from lineal.service.secrets import Secrets
from lineal.service.service import Defaults, Service
from lineal.service.sessions import SESSIONS_MAX, SessionReads

__all__ = ["SESSIONS_MAX", "Defaults", "Pointers", "Secrets", "Service", "SessionReads"]
