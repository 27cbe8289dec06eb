"""Processes that can do no harm: forked from a warm parent, confined, and spoken to in messages of plain data."""
