"""What bash, zsh and fish complete, with the completions where `cmake --install` puts them: each shell finds and loads
them by its own means. bash and zsh run on a terminal of their own, where keys are pressed.

`offers(line)` is the set of what may follow: whole words, without what the shell shows beside them. `after_tab(line)`
is the line after the Tab key."""

import contextlib
import os
import pathlib
import pty
import select
import shlex
import shutil
import subprocess
import termios
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
COMPLETIONS = SOURCE / "deps/package/completions"
PLACES = [("uvrelay.bash", "share/bash-completion/completions/uvrelay"),
          ("uvrelay.bash", "share/bash-completion/completions/uvrelay.exe"),
          ("_uvrelay", "share/zsh/site-functions/_uvrelay"),
          ("uvrelay.fish", "share/fish/vendor_completions.d/uvrelay.fish"),
          ("uvrelay.fish", "share/fish/vendor_completions.d/uvrelay.exe.fish")]  # fmt: skip
SOON = 30

BASH_COMPLETION = ". /usr/share/bash-completion/bash_completion\n"
BASH = r"""
bind 'set bell-style none'
bind 'set page-completions off'
bind 'set completion-query-items 0'
_dump() { printf '%s' "$READLINE_LINE" >"$DUMP.new"; mv "$DUMP.new" "$DUMP"; }
bind -x '"\C-xd": _dump'
_capture() { _uvrelay "$@"; printf '%s\n' "${COMPREPLY[@]}" >"$DUMP.new"; mv "$DUMP.new" "$DUMP"; }
"""
ZSH = r"""
unsetopt beep
zstyle ':completion:*' list-prompt ''
LISTMAX=10000
fpath=($HERE/share/zsh/site-functions $fpath)
autoload -U compinit
compinit -D -u
compadd() {
  local -a found=()
  if [[ "${(j: :)@[1,(i)(-|--)]}" != *(-O|-A|-D)* ]]; then
    builtin compadd -A found "$@"
    seen+=("${IPREFIX}"$^found)
  fi
  builtin compadd "$@"
}
dump() { print -rn -- "$BUFFER" >$DUMP.line; print -rl -- $seen >$DUMP.new; seen=(); mv $DUMP.new $DUMP; BUFFER=; }
zle -N dump
bindkey -e
bindkey '^Xd' dump
"""


def lay_out(prefix, program):
    """A prefix with the program and its completions."""
    for name, place in PLACES:
        (prefix / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(COMPLETIONS / name, prefix / place)
    (prefix / "bin").mkdir()
    for name in ("uvrelay", "uvrelay.exe"):  # under the other name it lists its presets, too
        (prefix / "bin" / name).symlink_to(program)


def environment(prefix, home):
    home.mkdir(mode=0o700, exist_ok=True)
    return {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(home), "XDG_DATA_DIRS": f"{prefix}/share:/usr/share",
            "HERE": str(prefix), "LC_ALL": "C.UTF-8", "TERM": "dumb", "INPUTRC": "/dev/null", "HISTFILE": "",
            "DUMP": str(home / "dump")}  # fmt: skip


class Typed:
    """A shell on a terminal."""

    def __init__(self, command, script, prefix, home, cwd):
        self.env = environment(prefix, home)
        self.dump = pathlib.Path(self.env["DUMP"])
        start = home / "start"
        start.write_text(script)
        self.terminal, inner = pty.openpty()
        modes = termios.tcgetattr(inner)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(inner, termios.TCSANOW, modes)
        self.process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=self.env, cwd=cwd,
                                        start_new_session=True)
        os.close(inner)
        self.shown = b""
        self.obey(f". {shlex.quote(str(start))}")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def press(self, keys):
        """Presses keys that make the shell write the dump, and gives what that is."""
        self.dump.unlink(missing_ok=True)
        os.write(self.terminal, keys.encode())
        end = time.monotonic() + SOON
        while not self.dump.exists():
            assert time.monotonic() < end, self.shown[-3000:]
            if select.select([self.terminal], [], [], 0.01)[0]:
                with contextlib.suppress(OSError):
                    self.shown += os.read(self.terminal, 65536)
        return self.dump.read_text()

    def obey(self, command):
        """Runs a command to its end."""
        self.press(f"{command}\n: >$DUMP.new; mv $DUMP.new $DUMP\n")


class Bash(Typed):
    def __init__(self, prefix, home, cwd, before=BASH_COMPLETION):
        super().__init__(["bash", "--norc", "--noprofile", "-i"], before + BASH, prefix, home, cwd)
        assert self.after_tab("uvrelay serv") == "uvrelay serve ", "the completions are loaded"
        self.obey("complete -p uvrelay >$HERE/registered; usual=$COMP_WORDBREAKS")
        assert "-F _uvrelay" in (prefix / "registered").read_text()

    def offers(self, line):
        """With words split at blanks alone, so that all of a word is offered."""
        self.obey(r"""complete -o nospace -F _capture uvrelay uvrelay.exe; COMP_WORDBREAKS=$' \t\n'""")
        told = self.press(f"{line}\t").splitlines()
        self.press("\x05\x15\x18d")
        self.obey("complete -o nospace -F _uvrelay uvrelay uvrelay.exe; COMP_WORDBREAKS=$usual")
        return {word.rstrip(" ") for word in told if word}

    def after_tab(self, line):
        got = self.press(f"{line}\t\x18d")
        self.press("\x05\x15\x18d")
        return got


class BashAlone(Bash):
    """Without the package bash-completion, where the file is sourced by hand, and readline breaks words at @, too."""

    def __init__(self, prefix, home, cwd):
        super().__init__(prefix, home, cwd, f"set -u; . {shlex.quote(str(COMPLETIONS / 'uvrelay.bash'))}\n")


class Zsh(Typed):
    def __init__(self, prefix, home, cwd):
        super().__init__(["zsh", "-f", "-i"], ZSH, prefix, home, cwd)

    def offers(self, line):
        return {word for word in self.press(f"{line}\t\x18d").splitlines() if word}

    def after_tab(self, line):
        self.press(f"{line}\t\x18d")
        return self.dump.with_suffix(".line").read_text()


class Fish:
    def __init__(self, prefix, home, cwd):
        self.env = environment(prefix, home)
        self.cwd = cwd

    def close(self):
        pass

    def offers(self, line):
        done = subprocess.run(["fish", "-c", "complete -C $argv[1]", line], env=self.env, cwd=self.cwd,
                              capture_output=True, text=True, timeout=SOON, check=True)
        assert done.stderr == "", done.stderr
        return {word.split("\t")[0] for word in done.stdout.splitlines()}

    def after_tab(self, line):
        """As far as all that is offered goes."""
        found = sorted(self.offers(line))
        before = line[:len(line) - len(line.split(" ")[-1])]
        return before + os.path.commonprefix(found) if found else line


SHELLS = {"bash": Bash, "bash alone": BashAlone, "zsh": Zsh, "fish": Fish}
