"""
Settings: one ``farthing.toml``, decoded strictly, every key with an environment twin.

:mod:`~farthing.config.settings` is what can be set, :mod:`~farthing.config.keys` the defaults and what values must be,
:mod:`~farthing.config.loading` resolves them from file and environment.
"""

from farthing.config.keys import KEYS
from farthing.config.loading import Loaded, load, variable_of
from farthing.config.settings import Config, DashboardSettings, GatewaySettings

__all__ = ["KEYS", "Config", "DashboardSettings", "GatewaySettings", "Loaded", "load", "variable_of"]
