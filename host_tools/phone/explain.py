"""The words of `protocol.explain`, under the name that phones know them by."""

from protocol.explain import *  # noqa: F403
