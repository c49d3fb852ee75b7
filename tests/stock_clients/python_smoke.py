"""Drives a cluster with both of PyPI's clients, `tikv-client` 0.0.4 and `tikv-python`, as Python programs would.

    pip install tikv-client==0.0.4 tikv-python==0.1.1
    python python_smoke.py 127.0.0.1:2379
"""

import sys

import tikv
from tikv_client import RawClient


def old_client(endpoints):
    client = RawClient.connect(endpoints)
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


def pure_client(endpoints):
    with tikv.RawClient(endpoints) as client:
        client.put(b"py:a", b"1")
        assert client.get(b"py:a") == b"1"
        client.put(b"py:short", b"1", ttl=3600)
        assert 0 < client.ttl(b"py:short") <= 3600
        pairs = {b"%c:batch:%04d" % (first, i): b"v%d" % i for first in b"pz" for i in range(300)}
        client.put_many(pairs)
        assert client.get_many(pairs) == pairs
        found = dict(client.scan(b"p:batch:", b"p:batch;"))
        assert found == {key: value for key, value in pairs.items() if key[:1] == b"p"}, len(found)
        # Backwards over everything, across every region's bounds.
        keys = list(client.scan_keys(reverse=True))
        assert keys == sorted(keys, reverse=True) and set(pairs) <= set(keys), len(keys)
        client.delete_many(list(pairs)[:10])
        assert client.get(list(pairs)[0]) is None
        for prefix in (b"p", b"z"):
            client.delete_range(prefix=prefix)
        assert list(client.scan(prefix=b"p")) == []
    with tikv.RawClient(endpoints, atomic=True) as client:
        client.put(b"py:cas", b"1")
        assert not client.compare_and_swap(b"py:cas", None, b"2").swapped
        assert client.compare_and_swap(b"py:cas", b"1", b"2").swapped
        assert client.get(b"py:cas") == b"2"
        client.delete(b"py:cas")
    print("tikv-python: every answer as expected")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python_smoke.py PD_ADDRESS...")
    old_client(sys.argv[1:])
    pure_client(sys.argv[1:])
