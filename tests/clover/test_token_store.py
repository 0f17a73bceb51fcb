"""The token store: rotated tokens on disk, under one lock over processes."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.clover import token_store
from tap_clover_export.clover.token_store import TokenPair, TokenStore
from tap_clover_export.errors import TokenStoreError
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAIR = TokenPair(
    seed=Secret("seed-token").fingerprint(),
    refresh_token=Secret("refresh-1"),
    access_token=Secret("access-1"),
    access_expires=1_772_442_000.25,
    obtained=1_772_440_000.5,
    spent_token=Secret("refresh-0"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies; its directory is not there yet."""
    return tmp_path / "state" / "tokens.json"


FIFO = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tap_clover_export.clover.token_store import TokenStore
    from tap_clover_export.errors import TokenStoreError

    try:
        with TokenStore(Path(sys.argv[1])).locked():
            print("opened")
    except TokenStoreError as error:
        print(error)
    """
)


def _put(path: Path, merchant_id: str = "M1", pair: TokenPair = PAIR) -> None:
    with TokenStore(path).locked() as store, store.room():
        store.put(merchant_id, pair)


def _get(path: Path, merchant_id: str = "M1") -> TokenPair | None:
    with TokenStore(path).locked() as store:
        return store.get(merchant_id)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_pair_is_kept_and_read_back(path: Path) -> None:
    """A pair, the spent token and the times come back in another store of the same path."""
    _put(path)

    assert _get(path) == PAIR
    assert _get(path, "M2") is None


def test_pairs_of_several_merchants_stand_side_by_side(path: Path) -> None:
    """A new pair replaces its merchant's alone."""
    other = dataclasses.replace(PAIR, refresh_token=Secret("other"))
    newer = dataclasses.replace(
        PAIR, refresh_token=Secret("refresh-2"), spent_token=PAIR.refresh_token
    )
    _put(path, "M1")
    _put(path, "M2", other)
    _put(path, "M1", newer)

    assert (_get(path, "M1"), _get(path, "M2")) == (newer, other)
    assert newer.spent_token == Secret("refresh-1")


def test_a_fresh_store_is_empty(path: Path) -> None:
    """No file, or an empty one, holds no pair."""
    assert _get(path) is None
    path.write_text(" \n")
    assert _get(path) is None


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_user_may_read_it(path: Path, umask: int) -> None:
    """File and lock have mode 0600, the directory 0700, whatever the umask."""
    before = os.umask(umask)
    try:
        _put(path)
        _put(path, "M2")
    finally:
        os.umask(before)

    assert _mode(path) == 0o600
    assert _mode(Path(f"{path}.lock")) == 0o600
    assert _mode(path.parent) == 0o700


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    """A store with a looser mode is put right when it is read."""
    _put(path)
    path.chmod(0o644)

    assert _get(path) == PAIR
    assert _mode(path) == 0o600


def test_a_symlink_is_refused(path: Path, tmp_path: Path) -> None:
    """A link at the store's place is neither followed nor replaced."""
    path.parent.mkdir()
    target = tmp_path / "target"
    target.write_text('{"merchants":{}}')
    path.symlink_to(target)
    with (
        pytest.raises(TokenStoreError, match=r"token_store can't be used \(.+\); give the path"),
        TokenStore(path).locked(),
    ):
        pytest.fail("opened")
    assert path.is_symlink()


def test_a_directory_is_refused(path: Path) -> None:
    """A directory is no store."""
    path.mkdir(parents=True)
    with pytest.raises(TokenStoreError, match=r"token_store .*; give"):
        _get(path)
    assert path.is_dir()


def test_a_device_is_refused() -> None:
    """A device is no store."""
    with pytest.raises(TokenStoreError, match="no regular file of this user; give another path"):
        TokenStore(Path("/dev/null"))._read()


def test_a_named_pipe_is_refused(path: Path) -> None:
    """A named pipe is refused, not waited for without end."""
    path.parent.mkdir()
    os.mkfifo(path)
    command = [sys.executable, "-c", FIFO, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as opener:
        try:
            output, _ = opener.communicate(timeout=30)
        finally:
            opener.kill()
    assert "no regular file" in output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    """Another user's file is not trusted."""
    _put(path)
    os.chown(path, 12345, 12345)
    with pytest.raises(TokenStoreError, match="no regular file of this user; give another path"):
        _get(path)


FOREIGN = [
    b"hello",
    b"\xff\xfe\x00",
    b"[]",
    b"5",
    b"null",
    b'"merchants"',
    b"{}",
    b'{"merchants":[]}',
    b'{"merchants":null}',
    b'{"merchants":',
    b"access_token=x",
]


@pytest.mark.parametrize("content", FOREIGN, ids=repr)
def test_foreign_content_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    """A file that holds something else is refused in a sentence and not touched."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(TokenStoreError) as caught:
        _put(path)

    assert str(caught.value) == "token_store holds something else than tokens; give another path."
    assert path.read_bytes() == content


def test_content_nested_too_deep_is_refused(path: Path) -> None:
    """JSON too deep for the parser is refused in a sentence, not a RecursionError."""
    path.parent.mkdir()
    path.write_text("[" * 100_000)
    with pytest.raises(TokenStoreError, match="something else than tokens"):
        _get(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: None,
        lambda _: "x",
        lambda _: [],
        lambda kept: {**kept, "obtained": "soon"},
        lambda kept: {**kept, "access_expires": None},
        lambda kept: {name: kept[name] for name in kept if name != "refresh_token"},
        lambda kept: {name: kept[name] for name in kept if name != "seed"},
    ],
)
def test_a_damaged_pair_is_none(path: Path, damage: Callable[[dict[str, Any]], Any]) -> None:
    """A pair that can't be read is as good as none; the other merchants' stay."""
    _put(path, "M1")
    _put(path, "M2")
    content = json.loads(path.read_text())
    content["merchants"]["M1"] = damage(content["merchants"]["M1"])
    path.write_text(json.dumps(content))

    assert _get(path, "M1") is None
    assert _get(path, "M2") == PAIR


def test_put_needs_room(path: Path) -> None:
    """Without room made before, nothing is written; the successor might not fit."""
    with (
        TokenStore(path).locked() as store,
        pytest.raises(TokenStoreError, match="token_store has no room made"),
    ):
        store.put("M1", PAIR)
    assert not path.exists()


def test_room_is_on_disk_before_the_token_is_spent(path: Path) -> None:
    """Room is a file as large as the store and more, gone when it was not needed."""
    _put(path)
    before = path.read_bytes()
    with TokenStore(path).locked() as store:
        with store.room():
            (made,) = [p for p in path.parent.iterdir() if p.name not in _names(path)]
            assert made.stat().st_size >= len(before) + (1 << 16)
            assert _mode(made) == 0o600
        assert not made.exists()
    assert path.read_bytes() == before


def _names(path: Path) -> set[str]:
    return {path.name, f"{path.name}.lock"}


def test_a_failed_refresh_leaves_the_store_as_it_was(path: Path) -> None:
    """What goes wrong between room and put passes through; the old pair and no rest stay."""
    _put(path)
    with (
        pytest.raises(ValueError, match="refused"),
        TokenStore(path).locked() as store,
        store.room(),
    ):
        raise ValueError("refused")

    assert _get(path) == PAIR
    assert {p.name for p in path.parent.iterdir()} == _names(path)


def test_room_is_for_one_time(path: Path) -> None:
    """After a room is closed it can't be used."""
    with TokenStore(path).locked() as store:
        with store.room():
            store.put("M1", PAIR)
        with pytest.raises(TokenStoreError):
            store.put("M2", PAIR)
    assert _get(path) == PAIR


def test_a_put_is_synced_then_renamed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is on disk before it takes the store's place, the directory after."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def _fsync(descriptor: int) -> None:
        done.append("dir" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def _replace(source: str, target: Path) -> None:
        content = json.loads(Path(source).read_bytes())
        assert content["merchants"]["M1"]["refresh_token"] == "refresh-1"
        done.append("replace")
        replace(source, target)

    with TokenStore(path).locked() as store, store.room():
        monkeypatch.setattr(os, "fsync", _fsync)
        monkeypatch.setattr(os, "replace", _replace)
        store.put("M1", PAIR)
        assert done == ["file", "replace", "dir"]
        assert json.loads(path.read_bytes())["merchants"]["M1"]["access_token"] == "access-1"
    assert {p.name for p in path.parent.iterdir()} == _names(path)


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_share_that_syncs_no_directory(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Where directories can't be synced the pair is kept as well as it can be; a fault is told."""
    fsync = os.fsync

    def share(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(error, os.strerror(error))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", share)
    if error == errno.EIO:
        with pytest.raises(TokenStoreError, match="Input/output error"):
            _put(path)
    else:
        _put(path)
    assert _get(path) == PAIR


def test_a_disk_that_gives_files_to_others_is_refused_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where new files belong to somebody else, as on some shares, no token is spent."""
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with (
        pytest.raises(TokenStoreError, match="no regular file of this user; give another path"),
        TokenStore(path).locked() as store,
        store.room(),
    ):
        pytest.fail("the token would be spent")
    assert {p.name for p in path.parent.iterdir()} == {f"{path.name}.lock"}


def test_a_disk_that_keeps_no_modes_is_refused_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files can't be closed to others, no token is spent."""

    def refuse(_: int, __: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    fstat = os.fstat

    def open_to_all(descriptor: int) -> os.stat_result:
        mode, *fields = fstat(descriptor)
        return os.stat_result((int(mode) | 0o755, *fields))

    store = TokenStore(path)
    with store.locked():
        monkeypatch.setattr(os, "fchmod", refuse)
        monkeypatch.setattr(os, "fstat", open_to_all)
        with pytest.raises(TokenStoreError, match="Operation not permitted"), store.room():
            pytest.fail("the token would be spent")


def test_a_hard_link_keeps_what_was(path: Path, tmp_path: Path) -> None:
    """A new pair is in a new file: another name of the old one never shows it."""
    _put(path)
    other = tmp_path / "other"
    os.link(path, other)
    before = other.read_bytes()
    _put(path, pair=dataclasses.replace(PAIR, refresh_token=Secret("refresh-2")))
    assert other.read_bytes() == before
    assert b"refresh-2" in path.read_bytes()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: Path(p).symlink_to("/dev/zero")])
def test_something_else_in_the_successors_place(path: Path, make: Callable[[str], None]) -> None:
    """What lies where the next file is written is removed or told, never followed or awaited."""
    _put(path)
    make(f"{path}.new")
    try:
        _put(path, "M2")
    except TokenStoreError as error:
        assert str(error).startswith("token_store can't be used (")  # noqa: PT017
    else:
        assert _get(path, "M2") == PAIR
    assert json.loads(path.read_bytes())["merchants"]["M1"]


def test_no_room_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the room fails before the token is spent, in a sentence."""

    def _full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    _put(path)
    monkeypatch.setattr(os, "fsync", _full)
    with (
        pytest.raises(TokenStoreError, match=r"can't be used \(No space left on device\); give"),
        TokenStore(path).locked() as store,
        store.room(),
    ):
        pytest.fail("the token would be spent")
    monkeypatch.undo()
    assert _get(path) == PAIR
    assert {p.name for p in path.parent.iterdir()} == _names(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder / "file" / "tokens.json", r"(?:Not a directory|File exists)"),
        (lambda _: Path("/proc/nope/tokens.json"), "No such file or directory"),
        (lambda folder: folder / ("x" * 300), "File name too long"),
    ],
)
def test_a_path_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    """An unusable path is one sentence: the setting, the system's reason, what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(TokenStoreError) as caught:
        _get(make(tmp_path))

    assert caught.match(
        rf"^token_store can't be used \({why}\); "
        r"give the path of a file that this user can write\.$"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_sentence(path: Path) -> None:
    """A file that the user can't read is one sentence."""
    _put(path)
    path.chmod(0)
    with pytest.raises(TokenStoreError, match=r"can't be used \(Permission denied\)"):
        _get(path)


@contextlib.contextmanager
def _anybody() -> Iterator[None]:
    """Not root, who may write everywhere."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("kept", [False, True])
def test_a_read_only_directory_is_refused_before_a_token_is_spent(kept: bool) -> None:
    """A store that can be read but not replaced is a sentence, before the refresh."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokens.json")
        if kept:
            _put(path)
        Path(folder).chmod(0o555)
        with (
            _anybody(),
            pytest.raises(TokenStoreError, match=r"can't be used \(Permission denied\); give the"),
            TokenStore(path).turn("M1"),
            TokenStore(path).room(),
        ):
            pytest.fail("the token would be spent")
        Path(folder).chmod(0o755)
        assert (_get(path) == PAIR) is kept


def test_a_lock_held_too_long_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the lock for too long is told to end the other run."""
    monkeypatch.setattr(token_store, "LOCK_SECONDS", 0.01)
    with (
        TokenStore(path).locked(),
        pytest.raises(TokenStoreError, match="locked by another run; end that one"),
        TokenStore(path).locked(),
    ):
        pytest.fail("locked twice")
    assert _get(path) is None


def test_the_lock_is_given_back(path: Path) -> None:
    """After an error inside it the lock is free."""
    with pytest.raises(ValueError, match="x"), TokenStore(path).locked():
        raise ValueError("x")

    _put(path)
    assert _get(path) == PAIR


def test_the_file_is_read_again_inside_the_lock(path: Path) -> None:
    """A store that was read before sees what another process wrote since."""
    store = TokenStore(path)
    newer = dataclasses.replace(PAIR, refresh_token=Secret("refresh-2"))
    for expected in (None, PAIR, newer):
        with store.locked():
            assert store.get("M1") == expected
        _put(path, "M1", newer if expected else PAIR)


COUNTER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.clover.token_store import TokenPair, TokenStore

    store = TokenStore(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        with store.locked():
            pair = store.get("M1") or TokenPair("seed", Secret("0"))
            number = int(pair.refresh_token.reveal()) + 1
            with store.room():
                spent = pair.refresh_token
                store.put("M1", TokenPair("seed", Secret(str(number)), spent_token=spent))
    """
)


def test_two_processes_lose_no_token(path: Path) -> None:
    """Processes that rotate at once each see the other's pair: no refresh token is spent twice."""
    rounds = 25
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(path), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=60)
        assert worker.returncode == 0
    pair = _get(path)

    assert pair is not None
    assert (pair.refresh_token, pair.spent_token) == (Secret("50"), Secret("49"))


def test_fingerprints_tell_tokens_apart_without_holding_them() -> None:
    """Equal tokens have equal fingerprints, others others, and none holds the token."""
    one = Secret("token-1").fingerprint()

    assert one == Secret("token-1").fingerprint()
    assert one != Secret("token-2").fingerprint()
    assert "token-1" not in one
    assert len(one) == 32


def test_a_pair_shows_no_token() -> None:
    """A printed pair holds no token."""
    assert "refresh-1" not in repr(PAIR)
    assert "access-1" not in repr(PAIR)
    assert "refresh-0" not in repr(PAIR)
