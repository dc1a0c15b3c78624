"""Makes the manual pages of section 3 from Doxygen's XML: one for each function and each type of the public headers,
one for each group of them (uvrelay, uvrelay_npipe, uvrelay_mux), and for each macro, and each type whose contents are
private, a link to the page of its group.

Usage: library_pages.py XML HEADERS OUTPUT VERSION CHANGES

The date of the pages is that of the version's entry in CHANGES, or SOURCE_DATE_EPOCH if it is set. OUTPUT holds these
pages and nothing else when it ends. All that the comments say is in the pages: an element of the XML that is not known
here is an error. (Debian's doxygen2man drops what follows a reference or a literal in the text of a parameter, and has
no pages for types.)"""

import datetime
import os
import pathlib
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree

#: What errors mean where a comment only names them.
PLAIN_ERRORS = {
    "UV_ENOMEM": "There is not enough memory.",
    "UV_ENOTSUP": "This system does not have it.",
    "UV_ENOTCONN": "It is not connected.",
    "UV_EACCES": "The system denies access.",
    "UV_EINVAL": "What was given is wrong.",
}
#: Headers that others include, and which of these programs include.
INCLUDED_BY = {"uvrelay/common.h": "uvrelay.h", "uvrelay/version.h": "uvrelay.h"}
LINE = 76
NAME_LENGTH = 70


def escape(text):
    """Text as it is, whatever roff would make of it."""
    for character, escaped in (("\\", "\\e"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(character, escaped)
    return "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)


def code(text, font="B"):
    return f"\\f{font}{escape(text).replace('-', chr(92) + '-')}\\fP"


def squeeze(text):
    return re.sub(r"\s+", " ", text)


class Prose:
    """The paragraphs of a comment, as lines of roff; parameters and what is returned are kept apart."""

    def __init__(self, italics=(), indented=False):
        self.italics = set(italics)
        self.indented = indented  # it is what a tag stands before
        self.lines = []
        self.text = ""
        self.parameters = []
        self.result = None
        self.references = []
        self.fresh = False  # a macro has begun the next paragraph already

    def reference(self, text):
        """A function, a type or a member of one that is documented, or an enumerator."""
        name = re.match(r"\w*", text)[0]
        if not text.endswith("()") and not re.fullmatch(r"uvrelay_\w+(_t|_cb)", text):
            return code(text)
        self.references.append(name)
        return f"{code(name)}(3)"

    def inline(self, element):
        self.text += escape(element.text or "")
        for child in element:
            self.element(child)
            self.text += escape(child.tail or "")

    def element(self, element):
        text = "".join(element.itertext())
        if element.tag == "ref":
            self.text += self.reference(text)
        elif element.tag == "computeroutput":
            if element.find("ref") is not None and re.fullmatch(r"uvrelay_\w+(\(\))?", text):
                self.text += self.reference(text)
            else:
                self.text += code(text, "I" if text in self.italics else "B")
        elif element.tag == "para":
            self.flush()
            self.inline(element)
            self.flush()
        elif element.tag == "itemizedlist":
            self.flush()
            self.lines += [".RS"] if self.indented else []
            for item in element:
                self.lines.append(".IP \\(bu 2")
                self.fresh = True
                self.inline(item)
                self.flush()
            self.lines.append(".RE" if self.indented else ".PP")
            self.fresh = True
        elif element.tag == "parameterlist":
            self.flush()
            for item in element:
                names = [name.text for name in item.iter("parametername")]
                part = Prose(self.italics, indented=True)
                part.fresh = True
                part.inline(item.find("parameterdescription"))
                part.flush()
                self.parameters.append((names, part.lines))
                self.references += part.references
        elif element.tag == "simplesect" and element.get("kind") == "return":
            self.flush()
            part = Prose(self.italics)
            part.fresh = True
            part.inline(element)
            part.flush()
            assert part.result is None and not part.parameters
            self.result = part.lines
            self.references += part.references
        else:
            raise ValueError(f"Doxygen's <{element.tag}> is not known here; it holds \"{squeeze(text).strip()[:60]}\"")

    def flush(self):
        text = squeeze(self.text).strip()
        self.text = ""
        if not text:
            return
        if self.lines and not self.fresh:
            self.lines.append(".IP" if self.indented else ".PP")
        self.fresh = False
        self.lines += sentences(text)


def sentences(text):
    """A line for each sentence, as roff wants it; none of them looks like a request."""
    lines = re.split(r"(?<=[a-z0-9)P][.:?]) (?=[A-Z\\])", text)
    return [f"\\&{line}" if line[0] in ".'" else line for line in lines]


def capital(text):
    return text[:1].upper() + text[1:]


def brief_of(element):
    prose = Prose()
    prose.inline(element.find("briefdescription"))
    prose.flush()
    return prose


def plain_brief(element):
    """For the section NAME: short, without fonts and full stop, and with a small letter where it begins."""
    text = " ".join(brief_of(element).lines)
    text = re.sub(r"\\f[BIP]|\(3\)", "", text).rstrip(".")
    text = re.match(r"[^;:]*", text)[0]
    if len(text) > NAME_LENGTH and (cuts := [cut.start() for cut in re.finditer(", (?!or )", text[:NAME_LENGTH])]):
        text = text[:cuts[-1]]
    if re.match(r"[A-Z][a-z ]", text):
        text = text[0].lower() + text[1:]
    return text


def all_of(element, italics=(), indented=False):
    """Doxygen has cut the first sentence off the paragraph that it began."""
    prose = Prose(italics, indented)
    for part in ("briefdescription", "detaileddescription"):
        prose.fresh = True
        prose.inline(element.find(part))
        prose.flush()
    return prose


def type_text(element):
    return squeeze("".join(element.itertext())).strip() if element is not None else ""


def declaration(type_, name, rest):
    """`type name`, with a * beside the name."""
    return f"{type_}{'' if type_.endswith('*') else ' '}{name}{rest}"


def date_of(version, changes):
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%d")
    found = re.search(rf"^## \[{re.escape(version)}\].*?(\d{{4}}-\d\d-\d\d)", changes.read_text(), re.MULTILINE)
    return found[1] if found else "unreleased"


class Pages:
    def __init__(self, xml, headers, output, version, date):
        self.xml = xml
        self.headers = headers
        self.output = output
        self.version = version
        self.date = date
        self.groups = []
        self.written = {}  # name: whether it is a page of its own
        self.namesakes = {}  # functions that have the name of a group: what is said of them

    def read(self):
        for path in sorted(self.xml.glob("group__*.xml")):
            [group] = ElementTree.parse(path).getroot().findall("compounddef")
            members = [member for section in group.findall("sectiondef") for member in section.findall("memberdef")]
            structs = [ElementTree.parse(self.xml / f"{inner.get('refid')}.xml").getroot().find("compounddef")
                       for inner in group.findall("innerclass")]  # fmt: skip
            self.groups.append((group.findtext("compoundname"), group, members, structs))
        assert self.groups, f"there are no groups in {self.xml}"

    # ---- what pages are made of ----

    def include(self, element):
        header = element.find("location").get("file")
        return INCLUDED_BY.get(header, header)

    def tag(self, element, suffix):
        """The tag of a struct or an enum, of which Doxygen only gives the name of the type."""
        name = element.findtext("name") or element.findtext("compoundname")
        tag = name[:-1] + suffix
        header = (self.headers / element.find("location").get("file")).read_text()
        assert re.search(rf"\b{tag}\b", header), f"{name} has no tag {tag}"
        return tag

    def write(self, name, brief, sections):
        lines = [".\\\" Made from the comments of uvrelay's headers.",
                 f".TH {name} 3 \"{self.date}\" \"uvrelay {self.version}\" uvrelay",
                 ".nh", ".ad l", ".SH NAME", f"{name} \\- {brief}"]  # fmt: skip
        for title, content in sections:
            if content:
                lines += [f".SH {title}", *content]
        (self.output / f"{name}.3").write_text("\n".join(lines) + "\n")
        assert name not in self.written
        self.written[name] = True

    def link(self, name, page):
        if name not in self.written:
            (self.output / f"{name}.3").write_text(f".so man3/{page}.3\n")
            self.written[name] = False

    def synopsis(self, include, lines):
        return [".nf", code(f"#include <{include}>"), ".PP", *lines, ".fi"]

    def prototype(self, type_, name, params, end, name_form="{}"):
        """The lines of a prototype: as many parameters in one as there is room for."""
        head = declaration(type_, name_form.format(name), "(")
        texts = [(declaration(kind, "", "") if name else kind, name, array) for kind, name, array in params]
        lines, line, width = [], code(head), len(head)
        for i, (kind, parameter, array) in enumerate(texts):
            tail = array + (", " if i + 1 < len(texts) else "")
            size = len(kind) + len(parameter) + len(tail)
            if width + size > LINE and i > 0:
                lines.append(line.rstrip())
                line, width = " " * 8, 8
            line += code(kind) + (code(parameter, "I") if parameter else "") + (code(tail) if tail else "")
            width += size
        return [*lines, line + code(end)]

    @staticmethod
    def parameters(prose):
        lines = []
        for names, text in prose.parameters:
            lines += [".TP", ", ".join(code(name, "I") for name in names), *text]
        return lines

    @staticmethod
    def results(name, prose, type_):
        """What is returned, and the errors: the comments have both in one sentence, with semicolons in it."""
        if prose.result is None:
            return (["It returns nothing."] if type_ == "void" else prose.lines), []
        value, *rest = re.split(r"(?=\\fBUV_)", " ".join(prose.result), maxsplit=1)
        value = re.sub(r"( or|[;:.,])$", "", value.strip())
        if not rest:
            return sentences(capital(value) + "."), []
        errors, after = [], []
        parts = re.split(r"; (?=\\fBUV_)", rest[0])
        for part in parts:
            names, meaning = re.match(r"((?:(?:, | or )?\\fBUV_\w+\\fP)+)(.*)$", part).groups()
            if found := re.match(r"(?:; |\. )(.*)$", meaning):  # it is about all of them
                meaning, more = "", found[1]
            elif part is parts[-1] and (found := re.match(r"(.*?\.) ([A-Z\\].*)$", meaning)):
                meaning, more = found.groups()
            else:
                more = ""
            if more.startswith(("or ", "and ")):
                more = re.sub(r"^(or|and) ", "It may also be ", re.sub(r"^or another\b(?! )", "or another code", more))
            if more:
                after.append(capital(more).rstrip(".") + ".")
            meaning = meaning.lstrip(": ").rstrip(".")
            if meaning.startswith("(") and meaning.endswith(")"):
                meaning = meaning[1:-1]
            if not meaning:
                error = re.search(r"UV_\w+", names)[0]
                if error not in PLAIN_ERRORS:
                    raise ValueError(f"the comment on {name} does not say why it returns {error}")
                meaning = PLAIN_ERRORS[error]
            errors += [".TP", names, *sentences(capital(meaning).rstrip(".") + ".")]
        if "negative" not in value:
            value = ("0 on success" if value == "0" else value) + "; a negative libuv code on failure"
        returned = sentences(capital(value) + ".")
        for text in after:
            returned += sentences(text)
        return returned, errors

    def threads(self, name, params, inline):
        if name == "uvrelay_version":
            return ["It may be called from any thread."]
        if inline:
            return ["It only fills in a structure, and may be called from any thread."]
        lines = ["Call it from the thread that runs the loop."]
        if any(kind.endswith("_cb") for kind, _, _ in params):
            lines.append("The callback comes from that thread, from within \\fBuv_run\\fP(), and never before this "
                         "function has returned.")  # fmt: skip
        return lines

    def see_also(self, name, group, *related):
        names = {word for words in related for word in words if word in self.known and word != name}
        names.discard(group)
        ordered = [*([group] if group != name else []), *sorted(names)]
        return [f"{code(word)}(3)" + ("," if i + 1 < len(ordered) else "") for i, word in enumerate(ordered)]

    # ---- the pages ----

    def function(self, group, member):
        name = member.findtext("name")
        params = [(type_text(p.find("type")), p.findtext("declname") or "", p.findtext("array") or "")
                  for p in member.findall("param")]  # fmt: skip
        type_ = re.sub(r"^(UVRELAY_API|static|inline)\s+", "", type_text(member.find("type")))
        type_ = re.sub(r"^(static|inline)\s+", "", type_)
        prose = all_of(member, [p[1] for p in params])
        returned, errors = self.results(name, prose, type_)
        synopsis = self.synopsis(self.include(member), self.prototype(type_, name, params, ");"))
        if name in (group for group, *_ in self.groups):  # it is on the page of that group
            self.namesakes[name] = [*synopsis, ".PP", *prose.lines, *self.parameters(prose)]
            return
        self.write(name, plain_brief(member), [
            ("SYNOPSIS", synopsis), ("DESCRIPTION", prose.lines), ("PARAMETERS", self.parameters(prose)),
            ("RETURN VALUE", returned), ("ERRORS", errors),
            ("THREADS", self.threads(name, params, member.get("inline") == "yes")),
            ("SEE ALSO", self.see_also(name, group, prose.references, *(re.findall(r"\w+", p[0]) for p in params),
                                       re.findall(r"\w+", type_)))])  # fmt: skip

    def callback(self, group, member):
        name = member.findtext("name")
        rest = member.findtext("argsstring")
        params = [self.split(text) for text in rest[rest.index("(") + 1:rest.rindex(")")].split(", ")]
        prose = all_of(member, [p[1] for p in params])
        type_ = re.sub(r"\(\*\)?$", "", type_text(member.find("type"))).strip()
        lines = self.prototype(f"typedef {type_}", name, params, ");", "(*{})")
        self.write(name, plain_brief(member), [
            ("SYNOPSIS", self.synopsis(self.include(member), lines)), ("DESCRIPTION", prose.lines),
            ("THREADS", ["It is called from the thread that runs the loop."]),
            ("SEE ALSO", self.see_also(name, group, prose.references, self.users[name],
                                       *(re.findall(r"\w+", p[0]) for p in params)))])  # fmt: skip

    @staticmethod
    def split(text):
        """The type, the name and the array of a parameter."""
        found = re.fullmatch(r"(.*?[\s*])(\w+)(\[\w*\])?", text.strip())
        return found[1].strip(), found[2], found[3] or ""

    def struct(self, group, compound):
        name = compound.findtext("compoundname")
        lines, listed, references = [code(f"typedef struct {self.tag(compound, 's')} {{")], [], []
        for member in compound.iter("memberdef"):
            field = member.findtext("name")
            type_, rest = type_text(member.find("type")), member.findtext("argsstring") or ""
            lines.append("    " + code(declaration(type_, field, rest) + ";"))
            prose = all_of(member, indented=True)
            references += [*prose.references, *re.findall(r"\w+", type_ + rest)]
            listed += [".TP", code(field), *prose.lines]
        lines.append(code(f"}} {name};"))
        prose = all_of(compound)
        self.write(name, plain_brief(compound), [
            ("SYNOPSIS", self.synopsis(self.include(compound), lines)), ("DESCRIPTION", prose.lines),
            ("MEMBERS", listed),
            ("SEE ALSO", self.see_also(name, group, prose.references, references, self.users[name]))])  # fmt: skip

    def enum(self, group, member):
        name = member.findtext("name")
        lines, listed = [code(f"typedef enum {self.tag(member, 'e')} {{")], []
        prose = all_of(member)
        values = member.findall("enumvalue")
        for i, value in enumerate(values):
            constant = value.findtext("name")
            lines.append("    " + code(f"{constant}{squeeze(' ' + (value.findtext('initializer') or '')).rstrip()}"
                                       + ("," if i + 1 < len(values) else "")))  # fmt: skip
            about = all_of(value, indented=True)
            listed += [".TP", code(constant), *about.lines]
            prose.references += about.references
        lines.append(code(f"}} {name};"))
        self.write(name, plain_brief(member), [
            ("SYNOPSIS", self.synopsis(self.include(member), lines)), ("DESCRIPTION", prose.lines),
            ("VALUES", listed),
            ("SEE ALSO", self.see_also(name, group, prose.references, self.users[name]))])  # fmt: skip

    def overview(self, name, group, members, structs):
        prose = Prose()
        prose.inline(group.find("detaileddescription"))
        prose.flush()
        kinds = {"function": [], "define": [], "enum": [], "typedef": []}
        for member in members:
            kinds[member.get("kind")].append(member)

        def listed(elements):
            lines = []
            for element in elements:
                word = element.findtext("name") or element.findtext("compoundname")
                own = f"{code(word)}(3)" if self.written.get(word) else code(word)
                lines += [".TP", own, *brief_of(element).lines]
            return lines

        opaque = [m for m in kinds["typedef"] if not self.written.get(m.findtext("name"))]
        callbacks = [m for m in kinds["typedef"] if self.written.get(m.findtext("name"))]
        header = {"uvrelay": "uvrelay.h", "uvrelay_npipe": "uvrelay/npipe.h", "uvrelay_mux": "uvrelay/mux.h"}[name]
        about_macros = []
        for member in kinds["define"]:
            about_macros += [".TP", code(member.findtext("name")), *all_of(member, indented=True).lines]
        others = [other for other, *_ in self.groups if other != name]
        self.write(name, escape(group.findtext("title")), [
            ("SYNOPSIS", self.synopsis(header, [code("cc ... $(pkg-config --cflags --libs uvrelay)")])),
            ("DESCRIPTION", prose.lines), ("FUNCTIONS", listed(kinds["function"])), ("HANDLES", listed(opaque)),
            ("CALLBACKS", listed(callbacks)), ("STRUCTURES", listed(structs)), ("ENUMERATIONS", listed(kinds["enum"])),
            ("MACROS", about_macros), (f"THE FUNCTION {name}()", self.namesakes.get(name)),
            ("SEE ALSO", [f"{code(other)}(3)," for other in others] + [f"{code('uvrelay')}(1)"])])  # fmt: skip
        for member in [*opaque, *kinds["define"]]:
            self.link(member.findtext("name"), name)

    def make(self):
        self.read()
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        self.known = {name for name, *_ in self.groups}
        self.users = {}  # which functions and structures use a type
        for _, _, members, structs in self.groups:
            self.known |= {m.findtext("name") for m in members} | {s.findtext("compoundname") for s in structs}
            for member in members:
                if member.get("kind") == "function":
                    words = re.findall(r"\w+", " ".join(type_text(t) for t in member.iter("type")))
                    for word in words:
                        self.users.setdefault(word, set()).add(member.findtext("name"))
        for word in self.known:
            self.users.setdefault(word, set())
        for _, _, _, structs in self.groups:
            for struct in structs:
                for word in self.known & set(re.findall(r"\w+", "".join(struct.itertext()))):
                    self.users[word].add(struct.findtext("compoundname"))
        for name, _, members, structs in self.groups:
            for compound in structs:
                self.struct(name, compound)
            for member in members:
                kind = member.get("kind")
                if kind == "function":
                    self.function(name, member)
                elif kind == "enum":
                    self.enum(name, member)
                elif kind == "typedef" and "(*" in type_text(member.find("type")):
                    self.callback(name, member)
        for group in self.groups:
            self.overview(*group)


if __name__ == "__main__":
    try:
        Pages(*map(pathlib.Path, sys.argv[1:4]), sys.argv[4], date_of(sys.argv[4], pathlib.Path(sys.argv[5]))).make()
    except ValueError as error:
        sys.exit(f"library_pages.py: {error}")
