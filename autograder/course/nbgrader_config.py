"""This folder is an nbgrader course (https://nbgrader.readthedocs.io). nbgrader reads this file when it runs here.

Source notebooks come from ``chainrule build``, the gradebook is SQLite's file ``gradebook.db`` beside this one. Two
environment variables change where things are:

``CHAINRULE_DB_URL``
    the gradebook's database, such as ``postgresql://user:password@host/gradebook``
``CHAINRULE_LESSONS``
    the folder for released lessons; without it the repository's ``lessons``, or ``release`` here when this folder has
    been copied out of the repository
"""

import os
import sysconfig
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (nbgrader provides it)

# To make a new gradebook nbgrader calls the command alembic, which is on the path only in an activated environment.
scripts = sysconfig.get_path("scripts")
if scripts not in os.environ["PATH"].split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])

course = Path(__file__).resolve().parent
repository = course.parent.parent
lessons = repository / "lessons" if (repository / "solutions").is_dir() else course / "release"

c.CourseDirectory.course_id = "chainrule"
c.CourseDirectory.root = str(course)
c.CourseDirectory.release_directory = os.path.abspath(os.environ.get("CHAINRULE_LESSONS", lessons))
if database := os.environ.get("CHAINRULE_DB_URL"):
    c.CourseDirectory.db_url = database

# Learners' cells run in a confined process of their own, the checks in another; see autograder/SECURITY.md. The rest of
# the list is nbgrader's own. A whole lesson runs in a few seconds; a cell that needs half a minute is an endless loop.
# It is stopped and loses its own points, and the cells after it run.
c.Autograde.autograde_preprocessors = [
    "autograder.execution.IsolatedExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Execute.timeout = 30

# Learning platforms name what they collect <learner>_<anything>.ipynb; ``nbgrader zip_collect`` sorts it by that.
c.FileNameCollectorPlugin.named_regexp = r".*/(?P<student_id>[^/_]+)_(?P<file_id>[^/]+)"

# What learners hand in is put in order before nbgrader looks at it; see autograder/course/submissions.py. The rest of
# the list is nbgrader's own.
c.Autograde.pre_convert_hook = "autograder.course.submissions.restore_notebook_name"
c.Autograde.sanitize_preprocessors = [
    "autograder.course.submissions.RestoreCells",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Some answers begin with something, such as a function to repair. The rest of the list is nbgrader's own.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.InstantiateTests",
    "nbgrader.preprocessors.LockCells",
    "autograder.course.given.ClearOrGive",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Feedback pages show how a check came out, not the source of a hidden one. The rest of the list is nbgrader's own.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "autograder.course.feedback.HideChecks",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
