"""What is changed: each operator finds its places in a function, and says what takes their place."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""The boundary, and the opposite."""
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mutant:
    """One change: `new` takes a place in its parent, `parent.field` or `parent.field[index]`.

    Attributes:
        function: the qualified name of the outermost function that it is in.
        first_line: that of the function, its decorators included.
        tree: the module's, which is as it was until the change is made.
        statement: the one that is shown to people.
    """

    file: str
    function: str
    first_line: int
    line: int
    tree: ast.Module
    statement: ast.stmt
    parent: ast.AST
    field: str
    index: int | None
    new: object

    def swap(self) -> "Mutant":
        """Make the change in the tree; the mutant that takes it back."""
        place = getattr(self.parent, self.field)
        if self.index is None:
            old = place
            setattr(self.parent, self.field, self.new)
        else:
            old, place[self.index] = place[self.index], self.new
        statement = self.new if self.statement is old else self.statement
        names = ("file", "function", "first_line", "line", "tree", "parent", "field", "index")
        return Mutant(**{name: getattr(self, name) for name in names}, statement=statement, new=old)  # type: ignore[arg-type]

    def told(self) -> str:
        """`before → after` of the statement, without the lines of its body."""
        before = _head(self.statement)
        back = self.swap()
        after = _head(back.statement)
        back.swap()
        return f"{before} → {after}"

    def code(self, filename: str) -> CodeType:
        """The function's changed code; the tree stays changed."""
        self.swap()
        ast.fix_missing_locations(self.tree)
        return code_of(compile(self.tree, filename, "exec"), self.function, self.first_line)


def code_of(code: CodeType, function: str, first_line: int) -> CodeType:
    """The code of a function out of that of its module."""
    waiting = [code]
    while waiting:
        one = waiting.pop()
        if (one.co_qualname, one.co_firstlineno) == (function, first_line):
            return one
        waiting += [const for const in one.co_consts if isinstance(const, CodeType)]
    raise LookupError(function)


def mutants_of(text: str, file: str) -> list[Mutant]:
    """All mutants of a module, in the order of its lines."""
    tree = ast.parse(text)
    found: list[Mutant] = []
    for name, function in functions(tree):
        first_line = min([function.lineno, *(one.lineno for one in function.decorator_list)])
        for statement, parent, field, index, new in _changes(function):
            line = getattr(getattr(parent, field), "lineno", 0) if index is None else 0
            found.append(
                Mutant(
                    file=file,
                    function=name,
                    first_line=first_line,
                    line=line or statement.lineno,
                    tree=tree,
                    statement=statement,
                    parent=parent,
                    field=field,
                    index=index,
                    new=new,
                )
            )
    return found


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a module and of its classes, by their qualified names; not those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")


_Change = tuple[ast.stmt, ast.AST, str, int | None, object]


def _changes(function: ast.FunctionDef) -> Iterator[_Change]:
    for index, statement in enumerate(function.body):
        if index or not _is_docstring(statement):
            yield from _inside(statement, function, "body", index, statement)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _inside(node: ast.AST, parent: ast.AST, field: str, index: int | None, statement: ast.stmt) -> Iterator[_Change]:
    """The changes at a node, then those below it."""
    statement = node if isinstance(node, ast.stmt) else statement
    for new in _instead_of(node):
        yield statement, parent, field, index, new
    for below, value in _parts(node):
        if isinstance(value, ast.AST):
            yield from _inside(value, node, below, None, statement)
        elif isinstance(value, list):
            for place, one in enumerate(value):
                if isinstance(one, ast.AST):
                    yield from _inside(one, node, below, place, statement)


def _parts(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields to look into: no annotations, no text of messages, nothing that runs when a function is made."""
    for name, value in ast.iter_fields(node):
        is_left_out = (
            name in ("annotation", "returns", "decorator_list", "args") and not isinstance(node, ast.Call)
        ) or (isinstance(node, ast.Assert) and name == "msg")
        if not is_left_out:
            yield name, value


def _instead_of(node: ast.AST) -> list[ast.AST]:
    for kind, operator in _OPERATORS.items():
        if isinstance(node, kind):
            return operator(node)
    return []


def _compare(node: ast.Compare) -> list[ast.AST]:
    return [
        ast.Compare(left=node.left, ops=[*node.ops[:at], new(), *node.ops[at + 1 :]], comparators=node.comparators)
        for at, old in enumerate(node.ops)
        for new in _COMPARISONS[type(old)]
    ]


def _binary(node: ast.BinOp) -> list[ast.AST]:
    return [ast.BinOp(left=node.left, op=_ARITHMETIC[type(node.op)](), right=node.right)]


def _augmented(node: ast.AugAssign) -> list[ast.AST]:
    return [ast.AugAssign(target=node.target, op=_ARITHMETIC[type(node.op)](), value=node.value)]


def _boolean(node: ast.BoolOp) -> list[ast.AST]:
    return [ast.BoolOp(op=ast.Or() if isinstance(node.op, ast.And) else ast.And(), values=node.values)]


def _unary(node: ast.UnaryOp) -> list[ast.AST]:
    return [node.operand] if isinstance(node.op, ast.Not | ast.USub) else []


def _constant(node: ast.Constant) -> list[ast.AST]:
    if isinstance(node.value, bool):
        return [ast.Constant(value=not node.value)]
    return [ast.Constant(value=node.value + by) for by in (1, -1)] if isinstance(node.value, int) else []


def _return(node: ast.Return) -> list[ast.AST]:
    """None is no change where it is returned already, and none that a caller could tell from False."""
    is_alike = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value in (None, False))
    return [] if is_alike else [ast.Return(value=ast.Constant(value=None))]


def _branch(node: ast.If | ast.IfExp) -> list[ast.AST]:
    changed: list[ast.AST] = []
    for value in (True, False):
        new = copy.copy(node)
        new.test = ast.Constant(value=value)
        changed.append(new)
    return changed


def _removed(_: ast.AST) -> list[ast.AST]:
    return [ast.Pass()]


def _expression(node: ast.Expr) -> list[ast.AST]:
    return [ast.Pass()] if isinstance(node.value, ast.Call) else []


def _call(node: ast.Call) -> list[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in _OPPOSITES:
        name = ast.Name(id=_OPPOSITES[node.func.id], ctx=ast.Load())
        return [ast.Call(func=name, args=node.args, keywords=node.keywords)]
    return []


_OPERATORS = {
    ast.Compare: _compare,
    ast.BinOp: _binary,
    ast.AugAssign: _augmented,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.Return: _return,
    ast.If: _branch,
    ast.IfExp: _branch,
    ast.Raise: _removed,
    ast.Expr: _expression,
    ast.Continue: lambda _: [ast.Break()],
    ast.Break: lambda _: [ast.Continue()],
    ast.Call: _call,
}


def _head(statement: ast.stmt) -> str:
    """A statement's first line."""
    head = copy.copy(statement)
    for name in ("body", "orelse", "finalbody", "handlers"):
        if isinstance(getattr(head, name, None), list):
            setattr(head, name, [ast.Pass()] if name == "body" else [])
    if isinstance(head, ast.Try | ast.Match):
        return type(head).__name__.lower()
    return ast.unparse(ast.fix_missing_locations(head)).splitlines()[0]
