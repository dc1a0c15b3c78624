#!/usr/bin/env python3
"""Usage: test/stairs.py

Checks that the rooms of src/ use each other downwards only, in the order that the picture in src/README.md shows, and
that no files use each other in a circle.

Who uses whom is read twice: from the #include lines, and from the symbols in the object files that the presets linux
and windows have built. A header and its sources (x.h, x.c, x_unix.c, x_win.c) count as one unit. Prints one line for each
violation, of all there are, and then exits with 1.
"""
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
PUBLIC = ROOT / "include"
BOTTOM = "include"
# preset, nm, the ending of its object files, the sources that are not for this system
SYSTEMS = (("linux", "nm", ".o", "_win.c"), ("windows", "x86_64-w64-mingw32-nm", ".obj", "_unix.c"))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)

problems = []


def complain(text):
    if text not in problems:
        problems.append(text)


def picture_in(page):
    """The lines of the page's first fenced block that shows rooms."""
    for block in re.findall(r"^```\w*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        if re.match(r"[\w/]+/ ", block):
            return block.splitlines()
    sys.exit(f"stairs: {page.relative_to(ROOT)} shows no picture of the rooms")


def read_floors():
    """Room -> the number of its line in the picture: a greater number is further down."""
    picture = picture_in(SOURCES / "README.md")
    floors = {}
    for number, line in enumerate(picture):
        for part in re.split(r"\s\|\s", line):
            room = part.split()[0].rstrip("/")
            floors[room] = number
            if not (ROOT / room if room == BOTTOM else SOURCES / room).is_dir():
                complain(f"src/README.md shows the room {room}/, which does not exist")
    return floors


def name_of(file):
    """A file as messages name it: from the top of the repository."""
    return file.relative_to(ROOT).as_posix()


def unit_of(file):
    """A header and its sources have the same unit: base/os for base/os.h, base/os_unix.c and base/os_win.c."""
    stem = re.sub(r"(_unix|_win)?\.[ch]$", "", file.name)
    top = ROOT if PUBLIC in file.parents else SOURCES
    return (file.parent / stem).relative_to(top).as_posix()


def room_of(file):
    return BOTTOM if PUBLIC in file.parents else file.parent.relative_to(SOURCES).as_posix()


class Uses:
    """Which unit uses which, and the first reason found for it."""

    def __init__(self, floors):
        self.floors = floors
        self.reasons = defaultdict(dict)  # unit -> {used unit: (user, "includes x" or "calls x of y")}

    def add(self, user, used, how):
        """Notes that a file uses another; complains if its room may not."""
        mine, other = room_of(user), room_of(used)
        if mine not in self.floors or other not in self.floors or unit_of(user) == unit_of(used):
            return
        if mine != other and self.floors[other] <= self.floors[mine]:
            where = "above it" if self.floors[other] < self.floors[mine] else "beside it"
            complain(f"{name_of(user)} {how}: {mine}/ may not use {other}/, which is {where}")
        elif mine == other:  # a circle through several rooms always goes up somewhere
            self.reasons[unit_of(user)].setdefault(unit_of(used), (user, how))

    def shortest_circle(self, start):
        """The shortest way from a unit back to itself: [start, ..., start], or None."""
        came_from = {}
        waiting = [start]
        for unit in waiting:
            for used in self.reasons[unit]:
                if used == start:
                    way = [start]
                    while unit != start:
                        way.append(unit)
                        unit = came_from[unit]
                    return [start, *reversed(way)]
                if used not in came_from:
                    came_from[used] = unit
                    waiting.append(used)
        return None

    def complain_of_circles(self):
        """Complains of circles, the shortest ones first, until each use that is part of one has been named."""
        named = set()
        circles = [way for unit in sorted(self.reasons) if (way := self.shortest_circle(unit))]
        for way in sorted(circles, key=len):
            for user, used in zip(way, way[1:]):
                if (user, used) not in named:
                    named.add((user, used))
                    file, how = self.reasons[user][used]
                    complain(f"{name_of(file)} {how}: that closes the circle {' -> '.join(way)}")


def check_place(file, floors):
    """Whether the file lies in a room."""
    if room_of(file) in floors:
        return True
    complain(f"{name_of(file)} lies in no room: the rooms are those in src/README.md")
    return False


def read_includes(files, uses):
    """Notes the includes. Returns file -> the files of ours that it includes."""
    included = {}
    for file in files:
        included[file] = []
        for mark, path in INCLUDE.findall(file.read_text()):
            public = room_of(file) == BOTTOM  # these may be written from where the file is
            beside = file.parent / path
            places = (PUBLIC / path, beside, SOURCES / path) if public else (SOURCES / path, PUBLIC / path)
            found = next((place for place in places if place.is_file()), None)
            if found is not None and (public or ".." not in Path(path).parts):
                included[file].append(found.resolve())
                uses.add(file, found.resolve(), f"includes {path}")
            elif mark == '"' and (found is not None or beside.is_file()):
                complain(f'{name_of(file)} includes "{path}": write includes from src/, such as "base/log.h"')
    return included


def newest(file, included, seen):
    """When the file, or one that it includes, was changed last."""
    seen.add(file)
    return max([file.stat().st_mtime] + [newest(f, included, seen) for f in included.get(file, ()) if f not in seen])


def read_symbols(nm, objects):
    """Yields object, symbol, whether it defines it (else it uses it)."""
    printed = subprocess.run([nm, "-A", *objects], check=True, capture_output=True, text=True).stdout
    for line in printed.splitlines():
        found = re.match(r"(.*?):[ 0-9a-f]* (\w) (uvr(?:elay)?_\w+)$", line)
        if found and (found[2].isupper() or found[2] == "w"):
            yield found[1], found[3], found[2] not in "Uw"


def read_calls(preset, nm, ending, sources, included, uses):
    """Notes who uses which symbol of whom on one system."""
    built = ROOT / "build" / preset / "CMakeFiles"
    objects = {}
    missing = []
    for source in sources:
        target = "uvrelay" if room_of(source).split("/")[0] == "cli" else "uvrelay_library"
        file = built / f"{target}.dir" / (name_of(source) + ending)
        if file.is_file() and file.stat().st_mtime >= newest(source, included, set()):
            objects[str(file)] = source
        else:
            missing.append(source)
    if missing:
        others = "" if len(missing) == 1 else f", and {len(missing) - 1} other files"
        complain(f"{name_of(missing[0])} is not built for {preset} as it is now{others}: "
                 f"run cmake --build --preset {preset}")
    symbols = list(read_symbols(nm, objects)) if objects else []
    definers = {symbol: objects[file] for file, symbol, defines in symbols if defines}
    for file, symbol, defines in symbols:
        if not defines and symbol in definers:
            uses.add(objects[file], definers[symbol], f"uses {symbol} of {name_of(definers[symbol])}")


def main():
    floors = read_floors()
    uses = Uses(floors)
    readme = SOURCES / "README.md"
    ours = [file for file in sorted(SOURCES.rglob("*")) if file.is_file() and file != readme]
    files = [file for file in ours if check_place(file, floors) and file.suffix in (".c", ".h")]
    included = read_includes(files + sorted(PUBLIC.rglob("*.h")), uses)
    for preset, nm, ending, others in SYSTEMS:
        sources = [file for file in files if file.suffix == ".c" and not file.name.endswith(others)]
        read_calls(preset, nm, ending, sources, included, uses)
    uses.complain_of_circles()
    for text in problems:
        print(text)
    if problems:
        sys.exit(f"stairs: {len(problems)} violations; src/README.md has the rules")


if __name__ == "__main__":
    main()
