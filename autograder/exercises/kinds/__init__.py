"""What learners hand in beside functions: derivations, predictions, shapes, orders, repairs and classes.

Each module holds one kind and, where an exercise of that kind has a shape of its own, the function that makes one.
"""

from autograder.exercises.kinds.classes import Class, Method, Missing, fields
from autograder.exercises.kinds.derivation import Derivation, cos, exp, log, sigma, sin, sqrt, tanh
from autograder.exercises.kinds.fix import Fix
from autograder.exercises.kinds.order import Line, order
from autograder.exercises.kinds.prediction import Question, prediction
from autograder.exercises.kinds.shapes import Shapes, shape

__all__ = [
    "Class",
    "Derivation",
    "Fix",
    "Line",
    "Method",
    "Missing",
    "Question",
    "Shapes",
    "cos",
    "exp",
    "fields",
    "log",
    "order",
    "prediction",
    "shape",
    "sigma",
    "sin",
    "sqrt",
    "tanh",
]
