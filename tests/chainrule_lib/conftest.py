"""Hypothesis measures nothing here: a slow moment of a busy machine is no failure of the mathematics."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
