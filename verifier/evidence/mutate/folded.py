# SPDX-License-Identifier: GPL-2.0-or-later
"""A text without what never runs or does nothing, to tell which texts are the same mistake."""

from __future__ import annotations

import ast

__all__ = ["filled", "folded_text"]


def filled(tree: ast.AST) -> ast.AST:
    """Bodies that have become empty get a pass."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.For, ast.Module)) and not node.body:
            node.body = [ast.Pass()]
    return tree


def folded_text(tree: ast.AST) -> str:
    """The text without what never runs, by its constants, or does nothing. The tree is used up."""
    return ast.unparse(filled(_Fold().visit(tree)))


class _Fold(ast.NodeTransformer):
    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            return ast.Constant(not node.operand.value)
        return (node.operand.operand if isinstance(node.op, ast.Not)
                and isinstance(node.operand, ast.UnaryOp) else node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        stop = isinstance(node.op, ast.Or)
        known = [v for v in node.values if isinstance(v, ast.Constant)]
        if any(v.value is stop for v in known):
            return ast.Constant(stop)
        node.values = [v for v in node.values if v not in known]
        return (ast.Constant(not stop) if not node.values else node.values[0]
                if len(node.values) == 1 else node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        return ((node.body if node.test.value else node.orelse)
                if isinstance(node.test, ast.Constant) else node)

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt] | None:
        self.generic_visit(node)
        node.body, node.orelse = ([s for s in body if not isinstance(s, ast.Pass)]
                                  for body in (node.body, node.orelse))
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node if node.body or node.orelse else None

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        self.generic_visit(node)
        return None if ast.unparse(node.targets[0]) == ast.unparse(node.value) else node

    def visit_Pass(self, node: ast.Pass) -> None:
        return None
