"""Writes with a Python client while its cluster is hurt, and reads back what was acknowledged.

    pip install tikv-client==0.0.4 tikv-python==0.1.1
    python python_load.py tikv-client 127.0.0.1:2379     # or: tikv-python

Every key is written once, so that a put which the client repeats by itself does no harm. Prints `acknowledged N` as it
goes; when stdin ends, it reads every acknowledged key and says what it found. Exit code 0: each has its value.
"""

import os
import sys
import threading
import time


def connect(library, endpoints):
    if library == "tikv-client":
        from tikv_client import RawClient

        return RawClient.connect(endpoints)
    if library == "tikv-python":
        import tikv

        return tikv.RawClient(endpoints)
    sys.exit(f"there is no library {library!r}: use tikv-client or tikv-python")


def get_until_answered(client, key, seconds_max=60):
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            return client.get(key)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main(library, endpoints):
    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    client = connect(library, endpoints)
    acknowledged, failed, number = [], {}, 0
    while not stopped.is_set():
        key = b"stock:%s:%07d" % (library.encode(), number)
        number += 1
        try:
            client.put(key, b"v" + key)
        except Exception as error:
            what = type(error).__name__
            failed[what] = failed.get(what, 0) + 1
            continue
        acknowledged.append(key)
        if len(acknowledged) % 10 == 0:
            print(f"acknowledged {len(acknowledged)}", flush=True)
    lost = [key for key in acknowledged if get_until_answered(client, key) != b"v" + key]
    print(f"{library}: {len(acknowledged)} acknowledged, not acknowledged {failed}, lost {len(lost)}: {lost[:3]}")
    sys.stdout.flush()
    # Without a farewell: tikv-client 0.0.4 sometimes aborts the process when the interpreter takes it down.
    os._exit(1 if lost else 0)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python_load.py LIBRARY PD_ADDRESS...")
    main(sys.argv[1], sys.argv[2:])
