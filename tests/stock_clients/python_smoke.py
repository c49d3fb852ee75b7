"""Drives a cluster with PyPI's `tikv-client` 0.0.4, as a Python program would.

    pip install tikv-client==0.0.4
    python python_smoke.py 127.0.0.1:2379
"""

import sys

from tikv_client import RawClient


def main(pd_addresses):
    client = RawClient.connect(pd_addresses)
    client.put(b"py:a", b"1")
    assert client.get(b"py:a") == b"1"
    pairs = {b"py:batch:%04d" % i: b"v%d" % i for i in range(300)}
    client.batch_put(pairs)
    assert dict(client.batch_get(list(pairs))) == pairs
    found = client.scan(start=b"py:batch:", end=b"py:batch;", limit=1000)
    assert dict(found) == pairs, len(found)
    # Over everything: it must cross every region's bounds.
    keys = client.scan_keys(None, None, 10240)
    assert set(pairs) <= set(keys), len(keys)
    client.delete_range(start=b"py:", end=b"py;")
    assert client.get(b"py:a") is None
    print("tikv-client (Python): every answer as expected")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python_smoke.py PD_ADDRESS...")
    main(sys.argv[1:])
