"""The messages that the source can print, found by a small parser of C: no compiler is needed, and both systems' files
are read.

A message is a text that reaches one of the functions in SINKS, as the argument named there, or after it, to fill a %s.
Texts are followed backwards: through functions that pass a parameter on, macros, local variables, what functions
return, and both branches of ?:. So a new function that wraps a sink needs no entry here.

A message has two words at least; what fills a %s counts if it has three, as the rest are names and parts of sentences.
"""

import functools
import pathlib
import re
from dataclasses import dataclass, field

# The functions that take a text for people, with the position of that text. snprintf counts where it writes a member
# called "text", as uvrelay_error_t has.
SINKS = {
    "uvr_error_set": 3,
    "uvr_error_set_system": 4,
    "uvr_address_refuse": 2,
    "uvr_text_refuse": 3,
    "uvr_report_warning": 1,
    "uvr_text_line_add": 1,
    "uvr_log_writer_add": 1,
    "say": 1,
    "fprintf": 1,
    "fputs": 0,
    "snprintf": 2,
}
# What these put before the text.
PREFIX = {"uvr_address_refuse": "the address ... ", "uvr_text_refuse": "the ... ... "}

# What is not a failure, as FILE| TEXT: what commands print and -v tells, how a connection ends, commands to be copied,
# what to try, and parts of lines.
NO_FAILURE = re.compile("|".join([
    r"cli/os/built_for", r"cli/output/print[.]c[|] uvrelay [.]{3} libuv",
    r"cli/(input/|windows_)hint", r"relay/route_hint", r"relay/pair[.]c[|] (?!neither)", r"cli/doctor/(?!probe)",
    r"cli/serve/(status_text|presets_command)", r"cli/control/env_text",
    r".*\| ([;:,(/]|\w+$|sudo |Try: |Usage: |RELOADING|STOPPING|uvrelay [.]{3} \(libuv|closed after|stopping: |far end:|via:)",
    r".*\| (The|There|Would|It|Write|First|start one with) ",
    r".*\| (is ready|started \(|All is well|variable|the configuration was read again|left_out|the address [.]{6}:)",
    r".*\| (the (near|far) end$|the (left|right) stream$|the address [.]{3} [.]{3}: write|[.]{3} last error)",
    r".*\| ([.]{3}: write |[.]{3} [.]{3}|.*(error_age|on Windows and is opened|removed by a reload still))",
]))

TOKEN = re.compile(
    r"""(?P<string>(?:L|u8)?"(?:\\.|[^"\\])*")|(?P<char>L?'(?:\\.|[^'\\])*')|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<number>\d[\w.]*)"""
    r"""|(?P<mark>->|\.\.\.|==|!=|<=|>=|\S)""")
COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|/\*.*?\*/|//[^\n]*', re.S)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "else", "do", "case"}
CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Function:
    file: str
    name: str
    parameters: list
    tokens: list  # of its body
    is_macro: bool = False


@dataclass(frozen=True)
class Message:
    text: str  # with ... for each conversion
    file: str
    fills: bool = field(compare=False)  # it fills a %s of another one


def _string(token):
    body = token[token.index('"') + 1 : -1]
    return re.sub(r"\\(x[0-9a-fA-F]+|.)", lambda m: ESCAPES.get(m[1], m[1][-1]), body)


def _tokens(text):
    return [(m.lastgroup, m[0]) for m in TOKEN.finditer(text)]


def _close(tokens, start):
    """The position of the mark that closes the one at `start`."""
    depth = 0
    for i in range(start, len(tokens)):
        kind, value = tokens[i]
        if kind == "mark" and value in "([{":
            depth += 1
        elif kind == "mark" and value in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def _split(tokens, separator=","):
    """Splits at the separators outside brackets."""
    parts, depth = [[]], 0
    for token in tokens:
        kind, value = token
        if kind == "mark" and value in "([{":
            depth += 1
        elif kind == "mark" and value in ")]}":
            depth -= 1
        if kind == "mark" and value == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


class Source:
    """All C files below a directory."""

    def __init__(self, directory):
        self.functions = {}  # by name: static ones of several files may share one
        self.macros = {}  # of strings
        self.users = {}  # by name: who calls it, with the arguments
        self.tables = {}
        for path in sorted(directory.rglob("*.[ch]")):
            self._read(path, str(path.relative_to(directory)))
        for functions in self.functions.values():
            for function in functions:
                for name, arguments in self._calls(function.tokens):
                    self.users.setdefault(name, []).append((function, arguments))

    def _read(self, path, file):
        text = COMMENT.sub(lambda m: m[1] or " ", path.read_text()).replace("\\\n", " ")
        plain = []
        for line in text.splitlines():
            macro = re.match(r"\s*#\s*define\s+(\w+)(\(([^)]*)\))?\s*(.*)", line)
            if macro and macro[2]:
                names = [name.strip() for name in macro[3].split(",")]
                self._add(Function(file, macro[1], names, _tokens(macro[4]), True))
            elif macro:
                self.macros.setdefault(macro[1], []).append((file, _tokens(macro[4])))
            if not line.lstrip().startswith("#"):
                plain.append(line)
        self._find_functions(_tokens("\n".join(plain)), file)

    def _add(self, function):
        self.functions.setdefault(function.name, []).append(function)

    def _find_functions(self, tokens, file):
        i = 0
        while i < len(tokens):
            if tokens[i] == ("mark", "{"):  # a struct, an enum or a table
                i = _close(tokens, i)
            elif tokens[i] == ("mark", "(") and i > 0 and tokens[i - 1][0] == "name":
                end = _close(tokens, i)
                if end + 1 < len(tokens) and tokens[end + 1] == ("mark", "{"):
                    body = _close(tokens, end + 1)
                    names = [self._declared(part) for part in _split(tokens[i + 1 : end])]
                    self._add(Function(file, tokens[i - 1][1], names, tokens[end + 2 : body]))
                    i = body
                else:
                    i = end
            i += 1

    @staticmethod
    def _declared(tokens):
        if ("mark", "(") in tokens:  # a pointer to a function
            return ""
        names = [value for kind, value in tokens if kind == "name"]
        return "..." if ("mark", "...") in tokens else names[-1] if names else ""

    @staticmethod
    def _calls(tokens):
        for i in range(len(tokens) - 1):
            if tokens[i][0] == "name" and tokens[i][1] not in KEYWORDS and tokens[i + 1] == ("mark", "("):
                yield tokens[i][1], _split(tokens[i + 2 : _close(tokens, i + 1)])

    # Texts.

    def _expand(self, tokens, file):
        """Replaces macros of strings."""
        out = []
        for kind, value in tokens:
            if kind == "name" and value in self.macros:
                own = [body for place, body in self.macros[value] if place == file] or [self.macros[value][0][1]]
                out += self._expand(own[0], file) if all(k in ("string", "name") for k, _ in own[0]) else own[0]
            elif kind == "name" and value.startswith("PRI"):
                out.append(("string", '"u"'))
            else:
                out.append((kind, value))
        return out

    def texts(self, tokens, function, seen=()):
        """The texts that an expression can be, each with the file that it is in."""
        tokens = self._expand(tokens, function.file)
        while tokens and tokens[0] == ("mark", "(") and _close(tokens, 0) == len(tokens) - 1:
            tokens = tokens[1:-1]
        if tokens and all(kind == "string" for kind, _ in tokens):
            yield "".join(_string(value) for _, value in tokens), function.file
            return
        question = self._at_depth_0(tokens, "?")
        if question is not None:
            colon = self._matching_colon(tokens, question)
            yield from self.texts(tokens[question + 1 : colon], function, seen)
            yield from self.texts(tokens[colon + 1 :], function, seen)
        elif len(tokens) == 1 and tokens[0][0] == "name":
            yield from self._variable(tokens[0][1], function, seen)
        elif len(tokens) > 2 and tokens[0][0] == "name" and tokens[1] == ("mark", "(") and \
                _close(tokens, 1) == len(tokens) - 1:
            yield from self._returned(tokens[0][1], function, seen)

    @staticmethod
    def _at_depth_0(tokens, mark):
        depth = 0
        for i, (kind, value) in enumerate(tokens):
            if kind == "mark" and value in "([{":
                depth += 1
            elif kind == "mark" and value in ")]}":
                depth -= 1
            elif kind == "mark" and value == mark and depth == 0:
                return i
        return None

    @staticmethod
    def _matching_colon(tokens, question):
        depth = 0
        for i in range(question + 1, len(tokens)):
            kind, value = tokens[i]
            if kind == "mark" and value in "([{?":
                depth += 1
            elif kind == "mark" and value in ")]}":
                depth -= 1
            elif kind == "mark" and value == ":":
                if depth == 0:
                    return i
                depth -= 1
        return len(tokens)

    def _named(self, name, file):
        """The functions of this name: of this file, if it has one."""
        functions = self.functions.get(name, [])
        return [f for f in functions if f.file == file] or functions

    def _variable(self, name, function, seen):
        """What a parameter or a local variable can be."""
        key = (function.file, function.name, name)
        if key in seen:
            return
        seen = (*seen, key)
        if name in function.parameters:
            position = function.parameters.index(name)
            for user, arguments in self.users.get(function.name, []):
                if position < len(arguments) and function in self._named(function.name, user.file):
                    yield from self.texts(arguments[position], user, seen)
        for i, token in enumerate(function.tokens[:-1]):
            if token == ("name", name) and function.tokens[i + 1] == ("mark", "="):
                yield from self.texts(self._until_end(function.tokens, i + 2), function, seen)
        # What is written into it.
        for called, arguments in self._calls(function.tokens):
            if called == "snprintf" and arguments[0] == [("name", name)]:
                for argument in arguments[2:]:
                    yield from self.texts(argument, function, seen)

    @staticmethod
    def _until_end(tokens, start):
        depth = 0
        for i in range(start, len(tokens)):
            kind, value = tokens[i]
            if kind == "mark" and value in "([{":
                depth += 1
            elif kind == "mark" and value in ")]}":
                depth -= 1
            if depth < 0 or (depth == 0 and kind == "mark" and value in ",;"):
                return tokens[start:i]
        return tokens[start:]

    def _returned(self, name, function, seen):
        for callee in self._named(name, function.file):
            key = (callee.file, callee.name, "return")
            if key in seen or callee.is_macro:
                continue
            for i, token in enumerate(callee.tokens):
                if token == ("name", "return"):
                    yield from self.texts(self._until_end(callee.tokens, i + 1), callee, (*seen, key))

    # Messages.

    @functools.cached_property
    def messages(self):
        found = {}
        for sink, position in SINKS.items():
            for function, arguments in self.users.get(sink, []):
                if not self._is_for_people(sink, arguments):
                    continue
                for i, argument, user in self._passed(arguments[position:], function):
                    for text, file in self.texts(argument, user):
                        prefix = PREFIX.get(sink, "") if i == 0 else ""
                        self._add_message(found, prefix + text, file, i > 0)
        return sorted(found.values(), key=lambda m: (m.file, m.text))

    def _passed(self, arguments, function):
        """The arguments with their numbers; where a macro passes all that it gets on, those of its users."""
        for i, argument in enumerate(arguments):
            if argument != [("name", "__VA_ARGS__")]:
                yield i, argument, function
                continue
            first = function.parameters.index("...")
            for user, given in self.users.get(function.name, []):
                if function in self._named(function.name, user.file):
                    for k, passed in enumerate(given[first:]):
                        yield i + k, passed, user

    @functools.cached_property
    def unread(self):
        """The calls of functions that make errors, by file, whose text is not found."""
        return [function.file for sink in ("uvr_error_set", "uvr_error_set_system", "uvr_address_refuse")
                for function, arguments in self.users.get(sink, [])
                if not any(True for _, argument, user in self._passed([arguments[SINKS[sink]]], function)
                           for _ in self.texts(argument, user))]

    @staticmethod
    def _is_for_people(sink, arguments):
        if sink in ("fprintf", "fputs"):
            return [("name", "stderr")] in arguments
        if sink == "snprintf":
            return arguments[0][-1:] == [("name", "text")]
        return True

    @staticmethod
    def _add_message(found, text, file, fills):
        plain = " ".join(re.sub(r"%[-+0]*[\d.*]*(?:ll|[lhzjt])?[diouxXeEfgGcsp]", "...", text).split())
        plain = plain.replace("%%", "%").removeprefix("uvrelay: ").removeprefix("warning: ")
        own = re.sub(r"^the (address|[.]{3}) [.]{3}", "", plain)
        words = len(re.findall(r"[A-Za-z]{2,}", own))
        enough = words >= (3 if fills else 2) or (words > 0 and own != plain)
        if enough and not NO_FAILURE.match(f"{file}| {plain}"):
            found.setdefault((plain, file), Message(plain, file, fills))


def main():
    """Lists all messages with their files; those that fill others are indented."""
    for message in Source(pathlib.Path(__file__).parents[2] / "src").messages:
        print(f"{message.file}: {'    ' if message.fills else ''}{message.text}")


if __name__ == "__main__":
    main()
