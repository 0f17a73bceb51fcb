"""Tokens on disk: a file a chain, each under a lock of its own, safe against crashes and others."""

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
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.errors import TokenStoreError, TokenStoreLockedError
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens import disk, files, store
from tap_clover_export.tokens.chain import Chain, TokenPair
from tap_clover_export.tokens.store import open_store, wait_for_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHAIN = Chain.of("M1", Secret("first"))
OTHER = Chain.of("M2", Secret("first-of-other"))
PAIR = TokenPair(
    seed=CHAIN.seed,
    refresh_token=Secret("refresh-1"),
    access_token=Secret("access-1"),
    access_expires=1_772_442_000.25,
    obtained=1_772_440_000.5,
    spent_token=Secret("refresh-0"),
)
NEWER = dataclasses.replace(PAIR, refresh_token=Secret("refresh-2"), spent_token=Secret("x"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies; its directory is not there yet."""
    return tmp_path / "state" / "tokens"


def put(path: Path, chain: Chain = CHAIN, pair: TokenPair = PAIR) -> None:
    """Keep a pair."""
    with open_store(path).turn(chain) as turn:
        turn.reserve()
        turn.put(pair)


def get(path: Path, chain: Chain = CHAIN) -> TokenPair | None:
    """What is kept, read without a lock."""
    return open_store(path).get(chain)


def names(path: Path) -> set[str]:
    """What lies in the store, but for its locks."""
    return {one.name for one in path.iterdir()} - {".locks"}


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_pairs_of_several_chains_stand_side_by_side(path: Path) -> None:
    """A pair comes back in another store of the path; a newer one takes its chain's place alone."""
    assert get(path) is None
    other = dataclasses.replace(PAIR, refresh_token=Secret("other"))
    put(path)
    put(path, OTHER, other)
    put(path, pair=NEWER)
    assert (get(path), get(path, OTHER)) == (NEWER, other)
    assert get(path, Chain("M1", OTHER.seed)) is None
    assert names(path) == {f"{CHAIN.name}.json", f"{OTHER.name}.json"}


def test_a_refresh_writes_its_own_chain_alone(path: Path) -> None:
    """Its work does not grow with the merchants: no other file is read, written or replaced."""
    many = [Chain.of(f"N{number}", Secret("first")) for number in range(50)]
    put(path)
    for chain in many:
        (path / f"{chain.name}.json").write_bytes(b"nothing that could be read")
    before = {one.name: one.stat() for one in path.glob("*.json")}
    put(path, pair=NEWER)
    after = {one.name: one.stat() for one in path.glob("*.json")}
    assert {name for name in after if after[name] != before[name]} == {f"{CHAIN.name}.json"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_user_may_read_it(path: Path, umask: int) -> None:
    """Files have mode 0600, folders 0700, whatever the umask; looser ones are put right."""
    before = os.umask(umask)
    try:
        put(path)
    finally:
        os.umask(before)
    everything = [path, *path.rglob("*"), path.parent]
    assert {mode(one) for one in everything if one.is_file()} == {0o600}
    assert {mode(one) for one in everything if one.is_dir()} == {0o700}
    file = path / f"{CHAIN.name}.json"
    file.chmod(0o644)
    path.chmod(0o755)
    assert get(path) == PAIR
    assert (mode(file), mode(path)) == (0o600, 0o700)


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    """A link in the store's place, or a chain's, is refused and stays; one for the next is not."""
    target = tmp_path / "target"
    put(target)
    path.parent.mkdir()
    path.symlink_to(target)
    with pytest.raises(TokenStoreError, match="no regular file or folder of this user"):
        put(path)
    assert path.is_symlink()
    file, kept = target / f"{CHAIN.name}.json", tmp_path / "kept.json"
    file.rename(kept)
    file.symlink_to(kept)
    with pytest.raises(TokenStoreError, match=r"token_store can't be used \(.+\); give a path"):
        put(target)
    file.unlink()
    (target / f"{CHAIN.name}.new").symlink_to(kept)
    put(target, pair=NEWER)
    assert get(target) == NEWER
    assert json.loads(kept.read_text())["refresh_token"] == "refresh-1"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder_of_others(path: Path) -> None:
    path.mkdir(mode=0o755)
    (path / "thesis.odt").touch()


@pytest.mark.parametrize("make", [_fifo, _folder_of_others])
def test_something_else_in_its_place_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    """A pipe and a folder of other things are refused, at once, and left as they were."""
    path.parent.mkdir()
    make(path)
    before = path.stat().st_mode
    why = r"^token_store .*; give (?:another path|the path of a folder)\.$"
    with pytest.raises(TokenStoreError, match=why):
        put(path)
    assert path.stat().st_mode == before
    assert [*path.parent.iterdir()] == [path]
    with pytest.raises(TokenStoreError, match=r"^token_store is neither a folder nor a file \("):
        put(Path(os.devnull))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_others_own_is_refused(path: Path) -> None:
    """Another user's file or folder is not trusted."""
    put(path)
    for one in (path / f"{CHAIN.name}.json", path):
        os.chown(one, 12345, 12345)
        with pytest.raises(TokenStoreError, match="no regular file or folder of this user"):
            get(path)
        os.chown(one, 0, 0)


@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe", b"[]", b"{}", b"null", b"[" * 100_000])
def test_foreign_content_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    """A chain's file that holds something else spends no token; the other chains are read."""
    put(path, OTHER)
    file = path / f"{CHAIN.name}.json"
    file.write_bytes(content)
    with pytest.raises(TokenStoreError, match="something else than tokens; give another path"):
        put(path)
    assert file.read_bytes() == content
    assert get(path, OTHER) == PAIR


def test_room_is_on_disk_before_the_token_is_spent(path: Path) -> None:
    """Room is a file larger than any pair, gone where it was not needed, and must be there."""
    put(path)
    with open_store(path).turn(CHAIN) as turn:
        with pytest.raises(TokenStoreError, match="token_store has no room made"):
            turn.put(NEWER)
        turn.reserve()
        room = path / f"{CHAIN.name}.new"
        assert room.stat().st_size == disk.ROOM_BYTES
        assert mode(room) == 0o600
    assert not room.exists()
    assert get(path) == PAIR


def test_a_put_is_synced_then_renamed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is on disk before it takes the chain's place, the folder after."""
    put(path)
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def _fsync(descriptor: int) -> None:
        done.append("dir" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def _replace(source: str, target: str, **folders: int) -> None:
        assert json.loads((path / source).read_bytes())["refresh_token"] == "refresh-2"
        done.append("replace")
        replace(source, target, **folders)

    with open_store(path).turn(CHAIN) as turn:
        turn.reserve()
        monkeypatch.setattr(os, "fsync", _fsync)
        monkeypatch.setattr(os, "replace", _replace)
        turn.put(NEWER)
        assert done == ["file", "replace", "dir"]
    monkeypatch.undo()
    assert get(path) == NEWER


@pytest.mark.parametrize("content", [b"", b" \n", os.urandom(65_536), b'{"seed":"s"', b"[]"])
def test_a_torn_successor_is_dropped(path: Path, content: bytes) -> None:
    """A file that was not written whole never takes the chain's place."""
    put(path)
    (path / f"{CHAIN.name}.new").write_bytes(content)
    with open_store(path).turn(CHAIN) as turn:
        assert turn.pair == PAIR
    assert names(path) == {f"{CHAIN.name}.json"}


@pytest.mark.parametrize("rest", [b"", b"\n", b"\n" + os.urandom(9_000)])
def test_a_whole_successor_takes_its_place(path: Path, rest: bytes) -> None:
    """What a crash kept from its place is the newer pair, the rest of its room behind it or not."""
    put(path)
    (path / f"{CHAIN.name}.new").write_bytes(NEWER.pack() + rest)
    with open_store(path).turn(CHAIN) as turn:
        assert turn.pair == NEWER
    assert get(path) == NEWER


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_share_that_syncs_no_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Where folders can't be synced the pair is kept as well as it can be; a fault is told."""
    put(path, OTHER)
    fsync = os.fsync

    def share(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(error, os.strerror(error))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", share)
    with (
        pytest.raises(TokenStoreError, match="Input/output error")
        if error == errno.EIO
        else contextlib.nullcontext()
    ):
        put(path)
    assert get(path) == PAIR


def _refuse(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("name", "replacement", "why"),
    [
        ("fsync", _refuse(errno.ENOSPC), "No space left on device"),
        ("geteuid", lambda: 54321, "no regular file or folder of this user; give another path"),
    ],
)
def test_a_disk_that_is_no_good_is_found_first(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, replacement: object, why: str
) -> None:
    """A full disk, and one that gives files to others, are told before a token is spent."""
    put(path)
    with open_store(path).turn(CHAIN) as turn:
        monkeypatch.setattr(os, name, replacement)
        with pytest.raises(TokenStoreError, match=why):
            turn.reserve()
        monkeypatch.undo()
    assert get(path) == PAIR
    assert names(path) == {f"{CHAIN.name}.json"}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder / "file" / "tokens", r"(?:Not a directory|File exists)"),
        (lambda _: Path("/proc/nope/tokens"), "No such file or directory"),
        (lambda folder: folder / ("x" * 300), "File name too long"),
    ],
)
def test_a_path_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    """An unusable path is one sentence: the setting, the system's reason, what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(TokenStoreError) as caught:
        get(make(tmp_path))
    assert caught.match(rf"^token_store can't be used \({why}\); give a path where this user can w")


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
def test_a_read_only_folder_is_refused_before_a_token_is_spent(kept: bool) -> None:
    """A store that can be read but not written is a sentence, before the refresh."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokens")
        with _anybody() if os.geteuid() else contextlib.nullcontext():
            if kept:
                put(path)
        for one in (path / ".locks", path, Path(folder)):
            if one.exists():
                os.chown(one, 65534, -1) if not os.geteuid() else None
                one.chmod(0o555)
        with (
            _anybody(),
            pytest.raises(TokenStoreError, match=r"\(Permission denied\); give a path"),
        ):
            put(path, OTHER)
        for one in (Path(folder), path, path / ".locks"):
            if one.exists():
                one.chmod(0o755)


def test_a_lock_held_too_long_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a chain too long is told to end the other run; other chains are free."""
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.01)
    with open_store(path).turn(CHAIN):
        with pytest.raises(TokenStoreError, match="locked by another run; end that one"):
            put(path)
        put(path, OTHER)
    put(path)


def test_who_waits_for_a_turn_gets_it_or_gives_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the one before is done; at once where a run closes, and in the end by itself."""
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.01)
    one, two = open_store(path), open_store(path)
    asked = []
    with contextlib.ExitStack() as held:
        held.enter_context(one.turn(CHAIN))

        def given_up() -> bool:
            asked.append(1)
            if len(asked) == 3:
                held.close()
            return False

        with wait_for_turn(two, CHAIN, given_up) as turn:
            assert turn.pair is None
    assert len(asked) == 3
    with one.turn(CHAIN):
        with pytest.raises(TokenStoreLockedError), wait_for_turn(two, CHAIN, lambda: True):
            pass
        monkeypatch.setattr(store, "WAIT_SECONDS", 0.0)
        with pytest.raises(TokenStoreLockedError), wait_for_turn(two, CHAIN):
            pass


def test_chains_not_used_for_a_year_go(path: Path) -> None:
    """With their locks, once a run; those that are used stay."""
    put(path)
    put(path, OTHER)
    old = time.time() - 367 * 86_400
    for one in (path / f"{CHAIN.name}.json", *(path / ".locks").iterdir()):
        os.utime(one, (old, old))
    put(path, OTHER)
    assert names(path) == {f"{OTHER.name}.json"}
    assert [one.name for one in (path / ".locks").iterdir()] == [OTHER.name]


# The older form


def older(path: Path, **pairs: TokenPair) -> bytes:
    """Write a store of the older form."""
    path.parent.mkdir(exist_ok=True)
    packed = {name: json.loads(pair.pack()) for name, pair in pairs.items()}
    path.write_bytes(json.dumps({"merchants": packed}).encode())
    return path.read_bytes()


@pytest.mark.parametrize("crash", [None, "unlink", "rename"])
def test_a_store_of_the_older_form_is_read_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, crash: str | None
) -> None:
    """Its pairs are chains then, also of a successor that a crash left; a crash hurts none."""
    other = dataclasses.replace(PAIR, seed=OTHER.seed)
    older(path, M1=PAIR, M2=other, M3=PAIR)
    content = json.loads(path.read_bytes())
    content["merchants"]["M3"] = "damaged"
    content["merchants"]["M1"] = json.loads(NEWER.pack())
    Path(f"{path}.new").write_text(json.dumps(content))
    Path(f"{path}.locks").mkdir()
    Path(f"{path}.locks", "M1").touch()
    if crash:
        monkeypatch.setattr(Path, crash, _refuse(errno.EIO))
        with pytest.raises(TokenStoreError, match="Input/output error"):
            get(path)
        monkeypatch.undo()
    assert (get(path), get(path, OTHER)) == (NEWER, other)
    put(path)
    assert names(path) == {f"{CHAIN.name}.json", f"{OTHER.name}.json"}
    beside = {one.name for one in path.parent.iterdir()}
    assert beside == {"tokens", "tokens.lock"}


@pytest.mark.parametrize("content", [b"hello", b"[]", b"{}", b'{"merchants":[]}', b"[" * 100_000])
def test_a_file_of_something_else_is_left_alone(path: Path, content: bytes) -> None:
    """It is refused in a sentence and not touched; an empty one is an empty store."""
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(TokenStoreError, match="holds something else than tokens; give another"):
        put(path)
    assert (path.read_bytes(), mode(path)) == (content, 0o644)
    path.write_text(" \n")
    assert get(path) is None


def test_a_store_of_the_older_form_is_closed_to_others(path: Path) -> None:
    """Also where it can't become a folder."""
    older(path, M1=PAIR)
    path.chmod(0o644)
    Path(f"{path}.d").touch()
    with pytest.raises(TokenStoreError, match="Not a directory"):
        get(path)
    assert mode(path) == 0o600


COUNTER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens.chain import Chain, TokenPair
    from tap_clover_export.tokens.store import open_store

    store = open_store(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        with store.turn(Chain.of("M1", Secret("first"))) as turn:
            pair = turn.pair or TokenPair("seed", Secret("0"))
            turn.reserve()
            spent = pair.refresh_token
            number = int(spent.reveal()) + 1
            turn.put(TokenPair("seed", Secret(str(number)), spent_token=spent))
    print(sorted({"sqlalchemy", "psycopg", "cryptography"} & set(sys.modules)))
    """
)


def test_two_processes_lose_no_token(path: Path) -> None:
    """Processes that rotate at once each see the other's pair; what is an extra is not loaded."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(path), "25"],
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
        output, _ = worker.communicate("go\n", timeout=60)
        assert output == "[]\n"
        assert worker.returncode == 0
    pair = get(path)
    assert pair is not None
    assert (pair.refresh_token, pair.spent_token) == (Secret("50"), Secret("49"))


def test_a_pair_and_a_chain_show_no_token() -> None:
    """Printed they hold none, nor does a chain's name."""
    shown = f"{PAIR} {PAIR!r} {CHAIN} {CHAIN!r} {CHAIN.name} {CHAIN.setting}"
    assert "refresh-" not in shown
    assert "access-1" not in shown
    assert "first" not in shown.replace("first=", "")
    assert Chain.of("M1", Secret(CHAIN.setting)) == dataclasses.replace(CHAIN, first=None)
