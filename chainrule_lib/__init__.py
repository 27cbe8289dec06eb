"""The mathematics of the chain rule course: activations, losses, networks, optimizers, numerical derivatives, data.

Importing it imports numpy and nothing else. The interactive explorers, which need matplotlib and ipywidgets, are in
`chainrule_lib.widgets` and are imported only by name. The shapes everywhere: a batch is (n, d_in), weights are
(d_out, d_in), and a gradient has the name and the shape of what it belongs to.
"""

from chainrule_lib.activations import (
    relu,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    softmax,
    softmax_jacobian,
    tanh,
    tanh_derivative,
)
from chainrule_lib.autodiff import Dual, grad, jvp, value_and_grad, vjp
from chainrule_lib.convolution import (
    Conv2dGradients,
    average_pool2d,
    average_pool2d_gradient,
    col2im,
    conv2d,
    conv2d_gradients,
    im2col,
    max_pool2d,
    max_pool2d_gradient,
)
from chainrule_lib.datasets import digits, moons, one_hot, sequences, spirals, train_test_split, xor
from chainrule_lib.forward import forward_pass
from chainrule_lib.graph import computation_graph
from chainrule_lib.losses import (
    binary_cross_entropy,
    binary_cross_entropy_from_logits,
    binary_cross_entropy_from_logits_gradient,
    binary_cross_entropy_gradient,
    categorical_cross_entropy,
    categorical_cross_entropy_from_logits,
    categorical_cross_entropy_from_logits_gradient,
    categorical_cross_entropy_gradient,
    half_squared_error,
    half_squared_error_gradient,
)
from chainrule_lib.network import ForwardCache, Gradients, SigmoidNetwork, forward_cache
from chainrule_lib.numerical import (
    GradientCheck,
    directional_derivative,
    gradient_check,
    jacobian,
    numerical_gradient,
    relative_error,
)
from chainrule_lib.optimizers import Adam, GradientDescent, Momentum
from chainrule_lib.recurrent import (
    RNNCache,
    RNNGradients,
    RNNParameters,
    clip_by_norm,
    clip_by_value,
    gradient_norm,
    rnn_backward,
    rnn_forward,
)

__all__ = [
    "Adam",
    "Conv2dGradients",
    "Dual",
    "ForwardCache",
    "GradientCheck",
    "GradientDescent",
    "Gradients",
    "Momentum",
    "RNNCache",
    "RNNGradients",
    "RNNParameters",
    "SigmoidNetwork",
    "average_pool2d",
    "average_pool2d_gradient",
    "binary_cross_entropy",
    "binary_cross_entropy_from_logits",
    "binary_cross_entropy_from_logits_gradient",
    "binary_cross_entropy_gradient",
    "categorical_cross_entropy",
    "categorical_cross_entropy_from_logits",
    "categorical_cross_entropy_from_logits_gradient",
    "categorical_cross_entropy_gradient",
    "clip_by_norm",
    "clip_by_value",
    "col2im",
    "computation_graph",
    "conv2d",
    "conv2d_gradients",
    "digits",
    "directional_derivative",
    "forward_cache",
    "forward_pass",
    "grad",
    "gradient_check",
    "gradient_norm",
    "half_squared_error",
    "half_squared_error_gradient",
    "im2col",
    "jacobian",
    "jvp",
    "max_pool2d",
    "max_pool2d_gradient",
    "moons",
    "numerical_gradient",
    "one_hot",
    "relative_error",
    "relu",
    "relu_derivative",
    "rnn_backward",
    "rnn_forward",
    "sequences",
    "sigmoid",
    "sigmoid_derivative",
    "softmax",
    "softmax_jacobian",
    "spirals",
    "tanh",
    "tanh_derivative",
    "train_test_split",
    "value_and_grad",
    "vjp",
    "xor",
]
