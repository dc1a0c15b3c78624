"""A mount whose server has stopped answering, as a drive of Windows does at times: a process that looks at it waits
until this ends.

    hungdrive.py DIRECTORY      as root, also of a user namespace; prints a line, and ends when its input does

It is a FUSE file system that answers the kernel's first request and no other.
"""

import ctypes
import os
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
HEADER, INIT = struct.Struct("<IiQ"), struct.Struct("<IIIIHHI")

fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if LIBC.mount(b"C:\\", os.fsencode(sys.argv[1]), b"fuse", ctypes.c_ulong(0), options) != 0:
    sys.exit(f"hungdrive: mount: {os.strerror(ctypes.get_errno())}")
number = struct.unpack_from("<8xQ", os.read(fuse, 1 << 17))[0]
answer = INIT.pack(7, 12, 0, 0, 0, 0, 4096)
os.write(fuse, HEADER.pack(HEADER.size + len(answer), 0, number) + answer)
print("it hangs", flush=True)
sys.stdin.read()
