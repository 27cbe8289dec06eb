"""The instructor's path: an nbgrader course, and the commands that fill it and release from it.

``nbgrader_config.py`` makes this folder a course, so that nbgrader's own commands and its formgrader work here; it
also works from a copy of the folder elsewhere. ``build`` writes the source notebooks that nbgrader releases from,
``release`` writes the lessons, ``submissions`` prepares what learners hand in for grading, and ``demo`` takes a class
of made-up learners through all of it.
"""
