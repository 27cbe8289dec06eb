"""Slips: small changes of one step's formula that nobody wrote down, each with a sentence.

Named mistakes are what learners are known to do. Beside them stands what may happen to anybody in any line: another
operator, a sign, a factor left out, an index one off, one name in place of another. This module derives such slips from
the source of an exercise's formulas, so that the diagnosis can look for them as it looks for mistakes::

    dA2 * A2 * (1 - A2)   becomes   dA2 * A2 / (1 - A2)      "dZ2:operator"

It is the error model of Singh, Gulwani and Solar-Lezama (PLDI 2013, doi 10.1145/2491956.2462195), with the rules of
mutation testing (DeMillo, Lipton and Sayward 1978, doi 10.1109/C-M.1978.218136) for its corrections. A slip is another
formula, as a mistake is, and explains an answer only if it gives exactly its values. Its sentence says where to look
and which rule to think of, never the corrected line.

Nothing here runs before a wrong answer needs it. A formula without source (see ``autograder.exercises.source``) has no
slips, and what is chosen rather than computed, such as a prediction, has none either.
"""

from __future__ import annotations

import ast
import builtins
import types
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeGuard

import numpy as np

from autograder.exercises import source
from autograder.exercises.kinds import Class, Method, Shapes
from autograder.exercises.kinds.order import Order
from autograder.exercises.kinds.prediction import Prediction
from autograder.exercises.model import Exercise, Formula, Mistake, Step
from chainrule_lib import activations

Change = tuple[str, ast.expr, str]
"""A category, what stands in an expression's place, and a word for the category's sentence."""

Slip = tuple[str, str, Formula]
"""A category, a word for its sentence, and a formula."""

SENTENCES: dict[str, str] = {
    "sign": "In {step} a sign is turned round. Take its terms and factors one by one: does each come in with a plus or "
    "with a minus?",
    "difference": "In {step} the two sides of a difference have changed places. What is subtracted from what?",
    "factor": "In {step} a factor is missing: count the links of the chain there and compare with your product.",
    "division": "In {step} a division is missing. By what does the rule divide, and where?",
    "term": "In {step} a term is missing: compare your sum with the rule, term by term.",
    "transpose": "In {step} a matrix is transposed where it should not be, or is not where it should. Write the shapes "
    "side by side: over which index does the product sum?",
    "axis": "In {step} something runs along another axis than it should. Which index is to disappear, and which one is "
    "to stay?",
    "order": "In {step} two things have changed places whose order matters. Write their shapes side by side: which of "
    "them gives the rows of the result, and which the columns?",
    "quotient": "In {step} a fraction stands upside down. What belongs above its bar, and what below?",
    "constant": "In {step} a number is another one than in the rule. Look at its constants and factors, ½ and 2 too.",
    "exponent": "In {step} an exponent is another one than in the rule. What does differentiating do to a power, and "
    "what does it leave alone?",
    "function": "In {step} stands {word}, and the rule has another function there. Is it the function that is meant, "
    "or its derivative?",
    "function_left_out": "In {step} a function is left out: what it should be applied to stands there as it is.",
    "applied_twice": "In {step} a function is applied once more than in the rule.",
    "operator": "In {step} {word}, and the rule joins them in another way. Sum, difference, product or quotient: go "
    "through the line once more.",
    "product": "In {step} a product is taken entry by entry where it is one of matrices, or the other way round. Is "
    "something summed over there?",
    "grouping": "In {step} the operations are carried out in another order than in the rule. Python takes powers "
    "first, then products and quotients from left to right, then sums: do your parentheses say what you mean?",
    "name": "In {step} another value stands at some place of the rule: {word}. Which one does this line work with?",
    "part": "In {step} one value stands where another belongs: whose is it, and which of its parts?",
    "copied": "{step} has the values of {word}. Was this line copied, or is the step left out?",
    "once_more": "In {step} there is something more than in the rule: {word}. Each link of the chain is one factor.",
    "size": "In {step} another number of things is used than in the rule. What is counted there: samples, units, all "
    "entries?",
    "index": "In {step} an index is off. Which entry does the rule take? Counting starts at 0, and −1 is the last one.",
    "slice": "In {step} a range begins or ends in another place than it should. Check its first and its last entry.",
    "reversed": "In {step} the entries come in the opposite order. Which of them does the rule begin with?",
    "comparison": "In {step} a comparison is another one than in the rule. Put in a value on either side of it.",
    "branch": "In {step} two cases are told apart in another way than in the rule. Try a value for each of them.",
    "summed": "In {step} entries are added up or averaged that the rule keeps apart. What shape should it have?",
    "loop": "In {step} a line of the loop is another one than in the rule. Follow its first two rounds by hand.",
}
"""What is said about a slip of each category, the plainest first: where several give the same values, it is offered."""

SHAPES: dict[str, str] = {
    "order": "In {step} two axes have changed places. Which of them comes first, rows or columns?",
    "name": "In {step} an axis has another length: the size of something else, {word}, stands there.",
    "computed": "In {step} the length of an axis is computed in another way than in the rule. Take small numbers and "
    "count.",
    "fixed": "In {step} an axis has another length. Is it the same number in every case, or the size of something?",
    "missing": "In {step} an axis is missing. Over which indices does it run?",
    "added": "In {step} there is an axis too many. Over which indices does it run?",
    "copied": "{step} has the shape of {word}. Is it the same kind of thing?",
}
"""The same for shapes, where a formula is a list of sizes."""

VERBS: dict[type[ast.operator], str] = {
    ast.Add: "are added",
    ast.Sub: "are subtracted from one another",
    ast.Mult: "are multiplied",
    ast.Div: "are divided by one another",
    ast.Pow: "are base and exponent",
}

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult, ast.Div),
    ast.Sub: (ast.Add, ast.Mult, ast.Div),
    ast.Mult: (ast.Add, ast.Sub, ast.Div),
    ast.Div: (ast.Mult, ast.Add, ast.Sub),
    ast.Pow: (ast.Mult, ast.Div, ast.Add),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
}
"""For each operator the ones that are written in its place."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.Gt, ast.LtE, ast.GtE),
    ast.LtE: (ast.GtE, ast.Lt, ast.Gt),
    ast.Gt: (ast.Lt, ast.GtE, ast.LtE),
    ast.GtE: (ast.LtE, ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}

FAMILIES: tuple[tuple[str, ...], ...] = (
    ("sum", "mean", "max", "min", "prod"),
    ("exp", "log", "log1p", "expm1"),
    ("sin", "cos", "tan"),
    ("sinh", "cosh", "tanh"),
    ("sigmoid", "sigmoid_derivative", "tanh", "tanh_derivative", "relu", "exp"),
    ("sigma", "tanh", "exp"),
    ("tanh", "tanh_derivative", "sigmoid", "relu"),
    ("relu", "relu_derivative", "tanh", "sigmoid"),
    ("maximum", "minimum"),
    ("zeros_like", "ones_like"),
    ("zeros", "ones"),
    ("argmax", "argmin", "max"),
    ("sqrt", "square", "abs", "sign"),
    ("outer", "dot"),
    ("cumsum", "cumprod", "sum"),
)
"""Functions that are taken for one another."""

OURS: dict[str, Any] = {
    name: getattr(activations, name)
    for name in ("sigmoid", "sigmoid_derivative", "tanh", "tanh_derivative", "relu", "relu_derivative")
}


def slips(exercise: Exercise) -> dict[str, Mistake]:
    """All slips of an exercise by name, in the order of the derivation and of the sentences within a step.

    A name is made of the step and the category, such as ``"dZ2:sign"``, with a number where there are several.
    """
    with warnings.catch_warnings(action="ignore"):  # of Python, about programs that make no sense
        return dict(_named(exercise))


def _named(exercise: Exercise) -> Iterator[tuple[str, Mistake]]:
    """The slips with their names."""
    for step, label, sentences, steps_slips in _by_step(exercise):
        counts: dict[str, int] = {}
        ranks = list(sentences)
        for category, word, formula in sorted(steps_slips, key=lambda slip: ranks.index(slip[0])):
            counts[category] = number = counts.get(category, 0) + 1
            name = f"{step.name}:{category}{number if number > 1 else ''}"
            sentence = sentences[category].format(step=label, word=word)
            answer = exercise.kind.make(exercise, {step.name: formula})
            yield name, Mistake(name, step.name, formula, sentence, answer)


def _by_step(exercise: Exercise) -> Iterator[tuple[Step, str, Mapping[str, str], Iterable[Slip]]]:
    """Every step with the name it has in sentences, the sentences, and its slips."""
    if isinstance(exercise.kind, Prediction | Order):
        return
    if isinstance(exercise.kind, Class):
        for step in exercise.steps:
            label = f"`{step.shown}`" if isinstance(step, Method) and step.shown else step.name
            yield step, label, SENTENCES, _of_class(step.formula)
        return
    values = exercise.derive(exercise.cases(0, 1)[0])
    known = {name: values[name] for name in exercise.inputs}
    for step in exercise.steps:
        before = {earlier.name: earlier.formula for earlier in exercise.steps if earlier.name in known}
        formulas = (step.formula, *step.spellings)
        if isinstance(exercise.kind, Shapes):
            found = [slip for formula in formulas for slip in _of_shape(formula, before, known)]
            yield step, step.name, SHAPES, found
        else:
            yield step, step.name, SENTENCES, _of_formulas(formulas, before, known, values[step.name])
        known[step.name] = values[step.name]


def _of_formulas(
    formulas: Iterable[Any], before: Mapping[str, Formula], known: Mapping[str, Any], value: Any
) -> list[Slip]:
    """The slips of a step's formulas, which all say the same; each program once."""
    found: dict[tuple[Any, int], Slip] = {}
    for formula in formulas:
        for slip in _of_formula(formula, before, known, value):
            found.setdefault((slip[2].__code__, id(slip[2].__globals__)), slip)
    return list(found.values())


def _of_formula(formula: Any, before: Mapping[str, Formula], known: Mapping[str, Any], value: Any) -> Iterator[Slip]:
    """The slips of a formula and of the functions of its file that it uses.

    Parameters
    ----------
    before : the formulas of the earlier steps
    known : the values of the inputs and of the earlier steps, in one case
    value : what the formula gives there
    """
    tree = source.tree_of(formula)
    if tree is None:
        return
    names = {**OURS, **source.rebound(formula, {}).__globals__}
    for spelling in source.spellings(tree, formula):
        changing = source.Tree(spelling, formula, names)
        yield from (slip for slip in _Changes(changing, known).all(value) if slip[2].__code__ != formula.__code__)
    for joined in source.joined(tree, formula, before):
        yield from _Changes(source.Tree(joined, formula, names), known).where_steps_meet()
    for helper in source.helpers(formula):
        for category, word, made in _of_helper(helper):
            yield category, word, source.rebound(formula, {helper: made})


def _of_helper(helper: types.FunctionType) -> Iterator[tuple[str, str, types.FunctionType]]:
    """The slips of a function that is no formula itself: of its names nothing is known."""
    tree = source.tree_of(helper)
    if tree is None:
        return
    if isinstance(tree, ast.FunctionDef):
        tree = source.counted(tree)
    changing = source.Tree(tree, helper, {**source.rebound(helper, {}).__globals__, **source.GUARDED})
    seen = {changing.made().__code__}
    for category, word, made in _Changes(changing, {}).all():
        if made.__code__ not in seen:
            seen.add(made.__code__)
            yield category, word, made


def _of_class(formula: Any) -> Iterator[Slip]:
    """The slips of a step of a class: its class with a slip in one of its methods."""
    for name, method in vars(formula).items():
        for category, word, made in _of_helper(method) if isinstance(method, types.FunctionType) else ():
            yield category, word, type(formula.__name__, (formula,), {name: made})


def _of_shape(formula: Any, before: Mapping[str, Formula], known: Mapping[str, Any]) -> list[Slip]:
    """The slips of a list of sizes: one in the place of another, one too few or too many, one computed wrongly.

    The parameters are those of ``_of_formula``. Where the shape is that of an earlier step, it may be written anew.
    """
    tree = source.tree_of(formula)
    if isinstance(tree, ast.Lambda) and _is_name(tree.body) and tree.body.id in before:
        return [*_other_shapes(tree, formula, known), *_of_shape(before[tree.body.id], before, known)]
    found: dict[types.CodeType, Slip] = {}
    for spelling in source.spellings(tree, formula) if isinstance(tree, ast.Lambda) else ():
        if isinstance(spelling, ast.Lambda) and isinstance(spelling.body, ast.Call):
            for slip in (*_of_sizes(spelling, formula, known), *_other_shapes(spelling, formula, known)):
                found.setdefault(slip[2].__code__, slip)
    return list(found.values())


def _of_sizes(tree: ast.Lambda, formula: Any, known: Mapping[str, Any]) -> Iterator[Slip]:
    """The slips within a list of sizes."""
    assert isinstance(tree.body, ast.Call)
    call, changing = tree.body, source.Tree(tree, formula)
    sizes = {name: value for name, value in known.items() if not np.ndim(value)}
    lists: list[Change] = []
    for i, size in enumerate(call.args):
        rest, after = call.args[:i], call.args[i + 1 :]
        lists += [("name", _call(call, [*rest, _name(name), *after]), name) for name in sizes]
        lists += [("fixed", _call(call, [*rest, ast.Constant(length), *after]), "") for length in (0, 1, 2)]
        lists += [("missing", _call(call, [*rest, *after]), "")]
        for j, other in enumerate(after):
            lists.append(("order", _call(call, [*rest, other, *after[:j], size, *after[j + 1 :]]), ""))
    for i in range(len(call.args) + 1):
        for length in (ast.Constant(1), *map(_name, sizes)):
            lists.append(("added", _call(call, [*call.args[:i], length, *call.args[i:]]), ""))
    for category, replacement, word in lists:
        with source.Put(tree, "body", None, ast.fix_missing_locations(replacement)), changing.taking(list(sizes)):
            yield category, word, changing.made()
    within = _Changes(changing, sizes)
    for parent, field, position, node in source.places(tree):
        if not isinstance(node, ast.expr) or node is call or parent is call:
            continue  # those have been exchanged as a whole
        for category, replacement, word in within.expression(node, parent, field):
            with (
                source.Put(parent, field, position, ast.fix_missing_locations(replacement)),
                changing.taking(list(sizes)),
            ):
                yield "name" if category == "name" else "computed", word, changing.made()
    for i, size in enumerate(call.args):
        for category, replacement, word in within.expression(size, call, "args") if not _is_name(size) else ():
            put = source.Put(call, "args", i, ast.fix_missing_locations(replacement))
            with put, changing.taking(list(sizes)):
                yield "name" if category == "name" else "computed", word, changing.made()


def _other_shapes(tree: ast.Lambda, formula: Any, known: Mapping[str, Any]) -> Iterator[Slip]:
    """The shapes of other things in the place of one."""
    changing = source.Tree(tree, formula)
    for name in [name for name, value in known.items() if np.ndim(value)]:
        with source.Put(tree, "body", None, ast.fix_missing_locations(_name(name))), changing.taking([name]):
            yield "copied", name, changing.made()


class _Changes:
    """All changes of a function's tree.

    Parameters
    ----------
    tree : the function
    known : the values that the function could use instead of its own, by name; empty where that is not known
    """

    def __init__(self, tree: source.Tree, known: Mapping[str, Any]) -> None:
        self.tree = tree
        self.known = known
        self.local = [] if known else _variables(tree.tree)
        self.attributes = [] if known else _attributes(tree.tree)

    def all(self, value: Any = None) -> Iterator[tuple[str, str, types.FunctionType]]:
        """Every change as category, word and function; ``value`` is what the right function gives in one case."""
        for parent, field, position, node in source.places(self.tree.tree):
            changes: Iterable[tuple[str, ast.AST, str]] = ()
            if isinstance(node, ast.stmt):
                changes = _statement(node)
            elif isinstance(node, ast.expr):
                whole = self.whole(node, value) if node is getattr(self.tree.tree, "body", None) else ()
                changes = (*self.expression(node, parent, field), *whole)
            for category, replacement, word in changes:
                with (
                    source.Put(parent, field, position, ast.fix_missing_locations(replacement)),
                    self._with_names_of(replacement),
                ):
                    try:
                        made = self.tree.made()
                    except (SyntaxError, ValueError):
                        continue  # such as a `break` that stands in no loop any more
                    yield category, word, made

    def where_steps_meet(self) -> Iterator[tuple[str, str, types.FunctionType]]:
        """The changes of operations alone: names and numbers change in the steps by themselves."""
        for parent, field, position, node in source.places(self.tree.tree):
            for category, replacement, word in self.operation(node) if isinstance(node, ast.BinOp) else ():
                with source.Put(parent, field, position, ast.fix_missing_locations(replacement)):
                    yield category, word, self.tree.made()

    def _with_names_of(self, replacement: ast.AST) -> AbstractContextManager[None]:
        """The function with the parameters that a replacement needs."""
        if not self.known:
            return nullcontext()
        return self.tree.taking([node.id for node in ast.walk(replacement) if _is_name(node) and node.id in self.known])

    def expression(self, node: ast.expr, parent: ast.AST, field: str) -> Iterator[Change]:
        """What may stand in the place of an expression."""
        match node:
            case ast.BinOp():
                yield from self.operation(node)
            case ast.UnaryOp(ast.USub(), operand):
                yield "sign", operand, ""
            case ast.UnaryOp(ast.Not(), operand):
                yield "comparison", operand, ""
            case ast.Constant(bool(value)):
                yield "branch", ast.Constant(not value), ""
            case ast.Constant(int(value) | float(value)):
                yield from _constant(value, parent, field)
            case ast.Compare(left, [operator], [right]):
                for comparison in COMPARISONS.get(type(operator), ()):
                    yield "comparison", ast.Compare(left, [comparison()], [right]), ""
            case ast.BoolOp(operator, values):
                yield "comparison", ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values), ""
                yield from (("comparison", value, "") for value in values)
            case ast.IfExp(test, body, orelse):
                yield "branch", ast.IfExp(test, orelse, body), ""
                yield "branch", body, ""
                yield "branch", orelse, ""
            case ast.Attribute(value, "T"):
                yield "transpose", value, ""
            case ast.Attribute(value, "size"):
                yield "size", _shape(value, 0), ""
                yield "size", _shape(value, -1), ""
            case ast.Attribute(value, name, ctx):
                called = isinstance(parent, ast.Call) and field == "func"
                for other in () if called else self.attributes:
                    if other != name and name in self.attributes:
                        yield "part", ast.Attribute(value, other, ctx), ""
            case ast.Subscript(ast.Attribute(value, "shape"), ast.Constant(int(axis))):
                yield from (("size", _shape(value, other), "") for other in (0, 1, -1) if other != axis)
                yield "size", _attribute(value, "size"), ""
            case ast.Subscript(value, index, ctx):
                yield "index", value, ""
                yield from ((category, ast.Subscript(value, other, ctx), "") for category, other in _index(index))
            case ast.Call():
                yield from self.call(node)
            case ast.ListComp():
                yield "reversed", _sliced(node, None, None, -1), ""
            case ast.Tuple(elements) | ast.List(elements) if not isinstance(parent, ast.Subscript):
                for i in range(len(elements) - 1):
                    exchanged = [*elements[:i], elements[i + 1], elements[i], *elements[i + 2 :]]
                    yield "order", type(node)(exchanged, ast.Load()), ""
            case ast.Name(id) if not (isinstance(parent, ast.Call) and field == "func"):
                yield from self.name(node, id, parent)
        if isinstance(node, ast.BinOp | ast.Call) and isinstance(parent, ast.BinOp):
            yield from (("name", _name(name), name) for name in self.known if _role(self.known[name]) == "number")
        if self._takes_a_sign(node, parent, field):
            yield "sign", ast.UnaryOp(ast.USub(), node), ""

    def _takes_a_sign(self, node: ast.expr, parent: ast.AST, field: str) -> bool:
        """Whether a minus may stand before an expression, and would not be one before the product around it."""
        if not isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute):
            return False
        if isinstance(parent, ast.Attribute | ast.Subscript | ast.Starred | ast.UnaryOp | ast.comprehension):
            return False
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult | ast.Div | ast.MatMult):
            return False
        if isinstance(parent, ast.Call) and field == "func":
            return False
        return not (_is_name(node) and self.known) or _role(self.value(node)) == "number"

    def operation(self, node: ast.BinOp) -> Iterator[Change]:
        """Another operator, sides exchanged or left out, parentheses in another place."""
        left, operator, right = node.left, node.op, node.right
        for other in OPERATORS.get(type(operator), ()):
            changed = ast.BinOp(left, other(), right)
            if {type(operator), other} == {ast.Add, ast.Sub}:
                yield "sign", changed, ""
            elif isinstance(operator, ast.Pow):
                yield "exponent", changed, ""
            else:
                yield "operator", changed, self._joined(left, other, right)
        if isinstance(operator, ast.Add | ast.Sub):
            yield "sign", ast.BinOp(ast.UnaryOp(ast.USub(), left), operator, right), ""
        match operator:
            case ast.Add():
                yield from (("term", kept, "") for kept in (left, right))
            case ast.Sub():
                yield "difference", ast.BinOp(right, operator, left), ""
                yield from (("term", kept, "") for kept in (left, right, ast.UnaryOp(ast.USub(), right)))
            case ast.Mult():
                yield from (("factor", kept, "") for kept in (left, right))
                if not isinstance(left, ast.Constant) and not isinstance(right, ast.Constant):
                    yield "product", ast.BinOp(left, ast.MatMult(), right), ""
            case ast.Div():
                yield "quotient", ast.BinOp(right, operator, left), ""
                yield "division", left, ""
                yield from (("factor", kept, "") for kept in (right, ast.BinOp(ast.Constant(1), operator, right)))
            case ast.Pow():
                yield from (("exponent", kept, "") for kept in (left, right, ast.BinOp(right, operator, left)))
            case ast.MatMult():
                yield from _matrix_product(left, right)
        yield from (("grouping", changed, "") for changed in _regrouped(node))

    def _joined(self, left: ast.expr, operator: type[ast.operator], right: ast.expr) -> str:
        """What an operation does, with the names of its sides where they are the exercise's: "A2 and Y are added"."""
        names = [node.id for node in (left, right) if _is_name(node) and node.id in self.known]
        return f"{' and '.join(names) if len(set(names)) == 2 else 'two things'} {VERBS.get(operator, 'are joined')}"

    def call(self, node: ast.Call) -> Iterator[Change]:
        """Another function, none, one more; arguments exchanged or left out."""
        function, keywords = node.func, node.keywords
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        method = isinstance(function, ast.Attribute) and not _is_module(function.value)
        for family in FAMILIES:
            for other in family if name in family else ():
                changed = self._function(function, other) if other != name else None
                if changed is not None:
                    yield "function", ast.Call(changed, node.args, keywords), f"`{other}`"
        if name == "len" and len(node.args) == 1:
            yield "size", _attribute(node.args[0], "size"), ""
            yield "size", _shape(node.args[0], -1), ""
        given = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
        if name == "where" and len(given) == 3:
            yield "branch", _call(node, [given[0], given[2], given[1]]), ""
            yield from (("branch", argument, "") for argument in given[1:])
        elif len(given) == 1 and not method:
            yield "function_left_out", given[0], ""
            if isinstance(function, ast.Attribute) or name in OURS or name in ("sigma", "exp", "tanh", "sin", "cos"):
                yield "applied_twice", _call(node, [node]), ""
        else:
            for i in range(len(given) - 1):
                yield "order", _call(node, [*given[:i], given[i + 1], given[i], *given[i + 2 :]]), ""
            if not method:
                yield from (("function_left_out", argument, "") for argument in given)
            if name in ("outer", "dot") and len(given) == 2:
                yield "product", ast.BinOp(given[0], ast.Mult(), given[1]), ""
        if isinstance(function, ast.Attribute) and method:
            yield "function_left_out", function.value, ""
        for i, keyword in enumerate(keywords):
            category = "axis" if keyword.arg == "axis" else "summed"
            yield category, ast.Call(function, node.args, [*keywords[:i], *keywords[i + 1 :]]), ""

    def _function(self, function: ast.expr, name: str) -> ast.expr | None:
        """A function of another name: of the same object or module, or one of the course's; None if there is none."""
        if isinstance(function, ast.Attribute) and not (_is_module(function.value) and not hasattr(np, name)):
            return _attribute(function.value, name)
        if callable(self.tree.names.get(name)) or hasattr(builtins, name):
            return _name(name)
        return _attribute(_name("np"), name) if hasattr(np, name) and "np" in self.tree.names else None

    def name(self, node: ast.Name, id: str, parent: ast.AST) -> Iterator[Change]:
        """Another name; the value backwards, transposed, squared, sent through σ."""
        if id in self.local:
            yield from (("part", _name(other), "") for other in self.local if other != id)
        if id not in self.known:
            return
        value = self.known[id]
        for other, its in self.known.items():
            if other != id and _role(its) == _role(value):
                yield "name", _name(other), other
        if isinstance(value, list):
            yield "reversed", _sliced(node, None, None, -1), ""
            yield "slice", _sliced(node, 1, None), ""
            yield "slice", _sliced(node, None, -1), ""
        if _axes(value) == 2 and not isinstance(parent, ast.BinOp | ast.Attribute):
            yield "transpose", _attribute(node, "T"), ""
        if _role(value) == "number" and not isinstance(parent, ast.Attribute | ast.Subscript):
            yield "exponent", ast.BinOp(node, ast.Pow(), ast.Constant(2)), ""
            yield "applied_twice", ast.Call(_name("sigmoid"), [node], []), ""

    def whole(self, node: ast.expr, value: Any) -> Iterator[Change]:
        """What may happen to a formula as a whole: copied from another line, a sign, a factor, a sum too many."""
        for name, other in self.known.items():
            if _role(other) == _role(value):
                yield "copied", _name(name), name
        if _role(value) != "number":
            return
        yield "sign", ast.UnaryOp(ast.USub(), node), ""
        yield "constant", ast.BinOp(ast.Constant(2), ast.Mult(), node), ""
        yield "constant", ast.BinOp(node, ast.Div(), ast.Constant(2)), ""
        for name in dict.fromkeys(inner.id for inner in ast.walk(node) if _is_name(inner) and inner.id in self.known):
            if _role(self.known[name]) == "number":
                yield "once_more", ast.BinOp(node, ast.Mult(), _name(name)), name
            if _axes(self.known[name]):
                yield "once_more", ast.BinOp(node, ast.Div(), _shape(_name(name), 0)), f"the size of {name}"
        if _axes(value) == 2:
            yield "transpose", _attribute(node, "T"), ""
        for axis in (None, *range(_axes(value))) if _axes(value) else ():
            keywords = [] if axis is None else [ast.keyword("axis", ast.Constant(axis))]
            for name in ("sum", "mean"):
                yield "summed", ast.Call(_attribute(node, name), [], keywords), ""

    def value(self, node: ast.expr) -> Any:
        """The value of a known name; None of anything else."""
        return self.known.get(node.id) if isinstance(node, ast.Name) else None


def _role(value: Any) -> str:
    """Values of one role may stand in each other's place: numbers and arrays, lists of such, functions."""
    if callable(value):
        return "function"
    if isinstance(value, list | tuple):
        return f"list of {_role(value[0])}" if value else "list"
    return "number" if isinstance(value, np.ndarray | np.generic | float | int) else type(value).__name__


def _axes(value: Any) -> int:
    """The number of axes of an array; 0 for what is none."""
    return value.ndim if isinstance(value, np.ndarray) else 0


def _variables(tree: source.Function) -> list[str]:
    """The names of a function's own variables that are not called in it."""
    stored = [node.id for node in ast.walk(tree) if _is_name(node) and source.is_target(node)]
    called = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_name(node.func)]
    return [
        name for name in dict.fromkeys([*source.parameters(tree), *stored]) if name not in called and name[0] != "_"
    ]


def _attributes(tree: source.Function) -> list[str]:
    """The names of the attributes that are read in a function and not called."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    read = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and id(node) not in called and not _is_module(node.value)
    ]
    return [name for name in dict.fromkeys(read) if name not in ("T", "shape", "size", "ndim")]


def _is_name(node: Any) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "math")


# Making expressions.


def _name(id: str) -> ast.expr:
    return ast.Name(id, ast.Load())


def _call(call: ast.Call, arguments: list[ast.expr]) -> ast.Call:
    """A call with other arguments."""
    return ast.Call(call.func, arguments, call.keywords)


def _attribute(node: ast.expr, name: str) -> ast.expr:
    return ast.Attribute(node, name, ast.Load())


def _shape(node: ast.expr, axis: int) -> ast.expr:
    """``node.shape[axis]``"""
    return ast.Subscript(_attribute(node, "shape"), _number(axis), ast.Load())


def _number(value: float) -> ast.expr:
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _sliced(node: ast.expr, lower: int | None, upper: int | None, step: int | None = None) -> ast.expr:
    """``node[lower:upper:step]``"""
    bounds = [None if bound is None else _number(bound) for bound in (lower, upper, step)]
    return ast.Subscript(node, ast.Slice(*bounds), ast.Load())


def _transposed(node: ast.expr) -> ast.expr:
    """``node.T``, or the node itself where it is transposed already."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    return _attribute(node, "T")


# Changes that need to know nothing of names.


def _matrix_product(left: ast.expr, right: ast.expr) -> Iterator[Change]:
    """A product of matrices with other transposes, in the other order, entry by entry, without one of its factors."""

    def product(first: ast.expr, second: ast.expr) -> ast.expr:
        return ast.BinOp(first, ast.MatMult(), second)

    yield "transpose", product(_transposed(left), right), ""
    yield "transpose", product(left, _transposed(right)), ""
    yield "transpose", product(_transposed(left), _transposed(right)), ""
    yield "transpose", _transposed(product(left, right)), ""
    yield "order", product(right, left), ""
    yield "order", product(right, _transposed(left)), ""
    yield "order", product(_transposed(right), left), ""
    yield "product", ast.BinOp(left, ast.Mult(), right), ""
    yield "product", ast.BinOp(_transposed(left), ast.Mult(), right), ""
    yield "product", ast.BinOp(left, ast.Mult(), _transposed(right)), ""
    yield "factor", left, ""
    yield "factor", right, ""


def _regrouped(node: ast.BinOp) -> Iterator[ast.expr]:
    """The same operations in another order: parentheses forgotten, or set in another place."""
    match node.left:
        case ast.BinOp(a, first, b):
            yield ast.BinOp(a, first, ast.BinOp(b, node.op, node.right))
        case ast.Call(function, [inside], keywords):
            yield ast.Call(function, [ast.BinOp(inside, node.op, node.right)], keywords)
        case ast.UnaryOp(sign, inside):
            yield ast.UnaryOp(sign, ast.BinOp(inside, node.op, node.right))
    match node.right:
        case ast.BinOp(b, second, c):
            yield ast.BinOp(ast.BinOp(node.left, node.op, b), second, c)
        case ast.Call(function, [inside], keywords):
            yield ast.Call(function, [ast.BinOp(node.left, node.op, inside)], keywords)


def _constant(value: float, parent: ast.AST, field: str) -> Iterator[Change]:
    """Another number: one more or less, twice or half of it, its negative or reciprocal, 0, 1, 2 or 3."""
    others: tuple[float, ...] = (value + 1, value - 1, -value, 2 * value, value / 2, 0, 1, 2, 3)
    category = "constant"
    if isinstance(parent, ast.keyword) and parent.arg == "axis":
        category, others = "axis", (0, 1, -1, 2)
    elif isinstance(parent, ast.Subscript | ast.Slice | ast.Tuple):
        category, others = "index", (value + 1, value - 1, 0, -1)
    elif isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow) and field == "right":
        category = "exponent"
    elif value:
        others = (*others, 1 / value)
    for other in dict.fromkeys(others):
        if other != value:
            whole = isinstance(value, int) and float(other).is_integer()
            yield category, _number(int(other) if whole else other), ""


def _index(index: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Another index: a range without a bound, from or to one further, backwards; axes exchanged."""
    if isinstance(index, ast.Slice):
        bounds = {name: getattr(index, name) for name in ("lower", "upper", "step")}
        for name, bound in bounds.items():
            if bound is not None:
                yield "reversed" if name == "step" else "slice", ast.Slice(**{**bounds, name: None})
        if bounds["step"] is None:
            yield "reversed", ast.Slice(**{**bounds, "step": _number(-1)})
            if bounds["lower"] is None:
                yield "slice", ast.Slice(**{**bounds, "lower": ast.Constant(1)})
            if bounds["upper"] is None:
                yield "slice", ast.Slice(**{**bounds, "upper": _number(-1)})
    elif isinstance(index, ast.Tuple):
        for i, element in enumerate(index.elts):
            for category, other in _index(element):
                yield category, ast.Tuple([*index.elts[:i], other, *index.elts[i + 1 :]], ast.Load())
        if len(index.elts) == 2:
            yield "index", ast.Tuple(index.elts[::-1], ast.Load())
    elif not isinstance(index, ast.Constant | ast.UnaryOp):
        yield "index", ast.BinOp(index, ast.Add(), ast.Constant(1))
        yield "index", ast.BinOp(index, ast.Sub(), ast.Constant(1))


def _statement(node: ast.stmt) -> Iterator[tuple[str, ast.AST, str]]:
    """What may happen to a line: left out, assigned instead of added, a case forgotten, a loop cut short."""
    if isinstance(node, ast.AugAssign | ast.Expr):
        yield "loop", ast.Pass(), ""
    if isinstance(node, ast.AugAssign):
        yield "loop", ast.Assign([node.target], node.value), ""
        for other in OPERATORS.get(type(node.op), ()):
            yield "operator", ast.AugAssign(node.target, other(), node.value), "two things are joined in a loop"
    if isinstance(node, ast.If):
        yield "branch", ast.If(ast.Constant(True), node.body, node.orelse), ""
        yield "branch", ast.If(ast.Constant(False), node.body, node.orelse), ""
    if isinstance(node, ast.For):
        yield "loop", ast.For(node.target, node.iter, [*node.body, ast.Break()], node.orelse), ""
        yield "reversed", ast.For(node.target, ast.Call(_name("reversed"), [node.iter], []), node.body, node.orelse), ""
