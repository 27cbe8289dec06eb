"""Grading a whole class: every submission to a lesson, on all processors of a machine or on a Dask cluster.

``chainrule grade`` is ``autograder.batch.grade``, ``chainrule report`` ``autograder.batch.report``, and ``chainrule
export`` ``autograder.batch.export``. What they share is the course (``course``) and the record of what is not graded
(``record``).
"""

from autograder.imports import skip_iri_grammar

skip_iri_grammar()  # here, so that workers do so too
