#!/usr/bin/env python3
"""A slow carrier: runs a command and moves its standard input and output through itself, at most 4 KiB at a time and so
many bytes a second each way.

    carrier.py BYTES_A_SECOND COMMAND [ARGUMENT...]

It ends when the command's output has ended, with the command's status. If it is killed, the command sees the end of its
input.
"""

import os
import subprocess
import sys
import threading
import time

PIECE = 4096


def move(source, destination, rate):
    """Until the end of the source, or until its reader is gone."""
    due = time.monotonic()
    try:
        while piece := os.read(source, PIECE):
            due = max(due, time.monotonic() - PIECE / rate) + len(piece) / rate
            time.sleep(max(0, due - time.monotonic()))
            while piece:
                piece = piece[os.write(destination, piece):]
    except OSError:
        pass
    os.close(destination)


def main():
    rate = int(sys.argv[1])
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=move, args=(0, os.dup(child.stdin.fileno()), rate), daemon=True).start()
    child.stdin.close()
    move(child.stdout.fileno(), 1, rate)
    os._exit(child.wait() & 0xFF)


if __name__ == "__main__":
    main()
