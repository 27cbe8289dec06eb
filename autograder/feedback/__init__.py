"""Feedback: a result in words and pictures for the person who has to act on it."""
