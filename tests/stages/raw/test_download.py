"""Downloads against a registry on loopback that fails in every way that a network does."""

import hashlib
import socket
import time
from pathlib import Path

import pytest

from gauntlet.errors import DataError, RetryableError, UnavailableError
from stages.raw.download import download

BODY = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(BODY).hexdigest()


def fetch(registry, **changes):
    wanted = {"sha256": SHA256, "max_bytes": len(BODY), "what": "thing"} | changes
    part = Path("thing.part")
    download(registry.url, part, **wanted)
    return part.read_bytes()


def test_whole_file(registry):
    registry.body = BODY
    assert fetch(registry) == BODY
    assert registry.ranges == [None]


def test_a_lost_connection_is_resumed_where_it_broke(registry):
    registry.body, registry.drops = BODY, [200_000, 100_000]
    assert fetch(registry) == BODY
    starts = [0 if asked is None else int(asked[len("bytes=") : -1]) for asked in registry.ranges]
    assert starts[0] == 0
    assert 100_000 < starts[1] <= 200_000
    assert starts[1] < starts[2] <= 300_000


def test_progress_forgives_any_number_of_lost_connections(registry):
    registry.body, registry.drops = BODY, [70_000] * 7
    assert fetch(registry) == BODY


def test_the_next_run_goes_on_from_the_part_file(registry):
    registry.body = BODY
    Path("thing.part").write_bytes(BODY[:300_001])
    assert fetch(registry) == BODY
    assert registry.ranges == ["bytes=300001-"]


def test_a_server_without_ranges_starts_over(registry):
    registry.body, registry.honours_range = BODY, False
    Path("thing.part").write_bytes(b"x" * 1000)
    assert fetch(registry) == BODY


def test_a_whole_part_file_needs_no_network(registry):
    Path("thing.part").write_bytes(BODY)
    assert fetch(registry) == BODY
    assert registry.ranges == []


def test_a_spoilt_part_file_is_dropped_once(registry):
    registry.body = BODY
    Path("thing.part").write_bytes(b"x" * 1000)
    assert fetch(registry) == BODY
    assert registry.ranges == ["bytes=1000-", None]


def test_a_wrong_hash_is_refused_and_leaves_nothing(registry):
    registry.body = BODY
    wrong = "0" * 64
    with pytest.raises(DataError, match=f"thing must have sha256 {wrong}; got {SHA256} .*another version"):
        fetch(registry, sha256=wrong)
    assert not Path("thing.part").exists()


def test_too_large_is_refused_before_it_is_loaded(registry):
    registry.body = BODY
    with pytest.raises(DataError, match="at most max_bytes = 1000; got 512000"):
        fetch(registry, max_bytes=1000)


def test_a_busy_server_is_asked_again(registry):
    registry.body, registry.statuses = BODY, [503, 429, 500]
    assert fetch(registry) == BODY


def test_a_missing_file_is_not_asked_for_again(registry):
    registry.statuses = [404]
    with pytest.raises(UnavailableError, match="the server answered 404 Not Found; was the version withdrawn"):
        fetch(registry)
    assert len(registry.ranges) == 1


def test_no_network_ends_soon_and_keeps_what_is_there(registry):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        registry.url = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}/thing.tgz?token=secret"
    Path("thing.part").write_bytes(BODY[:1000])
    begin = time.monotonic()
    with pytest.raises(
        UnavailableError, match=r"thing must come from http://127\.0\.0\.1.*refused, 4 times in a row"
    ) as away:
        fetch(registry)
    assert time.monotonic() - begin < 2
    assert "secret" not in str(away.value)
    assert Path("thing.part").read_bytes() == BODY[:1000]


def test_a_full_disk_is_one_line_and_retryable(registry):
    registry.body = BODY
    Path("thing.part").symlink_to("/dev/full")
    with pytest.raises(RetryableError, match="the disk is full after 0 MB; free some space and run again"):
        fetch(registry)


def test_a_mirror_in_a_folder(registry):
    Path("thing-1.0.tgz").write_bytes(BODY)
    registry.url = Path("thing-1.0.tgz").resolve().as_uri()
    assert fetch(registry) == BODY
