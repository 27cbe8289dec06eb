"""Running a notebook: the learner's cells in one process, the grade cells in another, data between them."""
