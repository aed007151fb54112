"""Put an answer's functions in the place of the stub's."""

import ast
import re


def functions(source: str) -> dict[str, ast.FunctionDef]:
    """The functions at the top level of a source, by name."""
    nodes = ast.parse(source).body
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def splice(stub: str, answer: str) -> str:
    """The stub with the bodies of the answer's functions; docstrings stay the stub's.

    What else the answer has, such as imports and helpers, goes before the first
    function of the stub.

    Example:
        >>> stub = "def f(x):\\n    '''Doc.'''\\n    raise NotImplementedError\\n"
        >>> print(splice(stub, "def f(x):\\n    return 2 * x\\n"), end="")
        def f(x):
            '''Doc.'''
            return 2 * x
    """
    stub_lines, answer_lines = stub.splitlines(), answer.splitlines()
    ours, theirs = functions(stub), functions(answer)
    imports: list[str] = []
    helpers: list[str] = []
    for node in ast.parse(answer).body:
        if isinstance(node, ast.FunctionDef) and node.name in ours:
            continue
        lines = answer_lines[node.lineno - 1 : node.end_lineno]
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports += lines
        else:
            helpers += [*lines, "", ""]
    first = min(node.lineno for node in ours.values()) - 1
    kept = "\n".join(stub_lines[:first]).rstrip().splitlines()
    prelude = [*imports, *kept]
    result, cursor = [*prelude, *(["", ""] if prelude else []), *helpers], first
    for name, node in ours.items():
        if name in theirs:
            head = node.body[0].end_lineno if ast.get_docstring(node) else None
            head = head or node.body[0].lineno - 1
            result += stub_lines[cursor:head] + body_lines(theirs[name], answer_lines)
            cursor = node.end_lineno or head
    return "\n".join(result + stub_lines[cursor:]) + "\n"


def body_lines(node: ast.FunctionDef, lines: list[str]) -> list[str]:
    """A function's body with its comments, without a docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    start = body[0].lineno - 1
    while re.match(r"\s*#", lines[start - 1]):
        start -= 1
    return lines[start : node.end_lineno]


def comment_text(text: str) -> str:
    """The block of comments at the start of a text, without the comment signs.

    Example:
        >>> comment_text("# One\\n#\\n# two.\\nx = 1  # three\\n")
        'One\\n\\ntwo.'
    """
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(lines).strip()


def drop_comments(code: str) -> str:
    """The same code without comments.

    Example:
        >>> drop_comments("x = 1  # one\\n")
        'x = 1'
    """
    return ast.unparse(ast.parse(code))
