"""That the program works where the section of its imports, .idata, is read-only, as newer linkers make it: what is
loaded only when it is first called (deps/delay-load.cmake) must not be written there."""

import pefile
import pytest

from assuanpeer import LoopbackServer, receive_all
from programs import Relay, uvrelay_exe

WRITABLE = 0x80000000


def test_a_program_with_read_only_imports(tmp_path):
    program = tmp_path / "read-only.exe"
    with pefile.PE(str(uvrelay_exe())) as image:
        sections = {section.Name.rstrip(b"\0"): section for section in image.sections}
        if b".idata" not in sections and not sections[b".rdata"].Characteristics & WRITABLE:
            pytest.skip("its linker, lld, puts the imports among what is read-only anyway")
        sections[b".idata"].Characteristics &= ~WRITABLE
        image.write(str(program))

    def answer(connection):
        assert receive_all(connection) == b"question"
        connection.sendall(b"answer")

    with LoopbackServer(answer) as server, Relay(f"tcp://127.0.0.1:{server.port}", program=program) as relay:
        relay.write(b"question")
        relay.close_stdin()
        assert relay.wait() == 0 and relay.stderr == ""
        server.wait()
        assert relay.stdout == b"answer"
