"""Libraries that would hand over an answer. They are withheld from learners' code while it is graded.

What is withheld in a lesson is in its module's constant ``WITHHELD``, beside these: modules of ``chainrule_lib``, or
single names in one. It holds what solves an exercise of that lesson and is not used by the lesson's own cells, because
a lesson has to run as it is given out. What is withheld is neither in the memory of the process that runs the answers
nor readable there; see ``autograder.execution.withholding``.
"""

from __future__ import annotations

__all__ = ["AUTODIFF", "LIBRARIES"]

LIBRARIES = (
    "aesara",
    "algopy",
    "autograd",
    "casadi",
    "chainer",
    "equinox",
    "flax",
    "functorch",
    "haiku",
    "jax",
    "jaxlib",
    "jittor",
    "keras",
    "lightning",
    "megengine",
    "micrograd",
    "mindspore",
    "minitorch",
    "mlx",
    "mxnet",
    "numdifftools",
    "oneflow",
    "optax",
    "paddle",
    "pytensor",
    "pytorch_lightning",
    "tangent",
    "tensorflow",
    "tf_keras",
    "theano",
    "tinygrad",
    "torch",
    "torchgen",
    "torchvision",
)
"""Packages that differentiate, or train networks, by themselves. Withheld in every lesson, installed or not."""

AUTODIFF = (
    "chainrule_lib.autodiff",
    "chainrule_lib.autodiff_rules",
    "chainrule_lib.autodiff_tracing",
    "chainrule_lib.graph",
)
"""The course's own such library, and the graphs, which show all gradients that it computes."""
