"""A key that is kept elsewhere, and the program that signs with it."""

import os
import shutil
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import quote

import pytest
from tests.contract.acts import raised
from tests.support.people import FOREIGN, HOME, asking, caller
from tests.support.signers import OpenSsl, shell
from tests.support.worlds import StoreWorld
from tests.tlog.test_notes import PETER

from supportaccess.domain.audit import Activity
from supportaccess.errors import InvalidInput, StoreRefused, StoreUnavailable
from supportaccess.store.sql import key_rotation
from supportaccess.store.sql.checkpoints import sign_all, sign_log
from supportaccess.store.sql.key_rotation import rotate
from supportaccess.store.sql.verify import verify_signed
from supportaccess.tlog import command_signer
from supportaccess.tlog.command_signer import CommandSigner
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.notes import SIGNATURE_SIZE, parse_key, parse_note
from supportaccess.tlog.signers import (
    SeedSigner,
    SignerFailed,
    key_of,
    parse_public_key,
    sign,
    signers_of,
    try_out,
)

NOBODYS = bytes(32)


@pytest.fixture
def elsewhere(tmp_path: Path) -> OpenSsl:
    """Return a key that OpenSSL signs with."""
    return OpenSsl(tmp_path)


def public(key: OpenSsl) -> bytes:
    return parse_public_key(key.public.read_bytes())


def keys_with(folder: Path, program: Path) -> Keys:
    return Keys(folder, signer=partial(CommandSigner, [str(program)]))


class TestCommand:
    def test_openssl_signs(self, elsewhere: OpenSsl) -> None:
        """The program of the documentation makes signatures that verify."""
        signer = CommandSigner([str(elsewhere.program)], public(elsewhere))
        note = sign("text\n", "a/b", [signer])

        assert signers_of(note, [key_of(signer, "a/b")]) == [key_of(signer, "a/b")]
        assert len(note.signatures[0].signature) == SIGNATURE_SIZE

    def test_what_it_is_given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Arguments as they are, the message, the key that is meant, and of the environment nothing that is ours."""
        monkeypatch.setenv("SUPPORTACCESS_DATABASE", "c4nary")
        monkeypatch.setenv("PGPASSWORD", "c4nary")
        monkeypatch.setenv("KMS_REGION", "here")
        told = tmp_path / "told"
        script = shell(tmp_path / "p", f'{{ printf "%s|" "$@"; cat; env; }} > {told}; head -c 64 /dev/zero')

        CommandSigner([str(script), "$HOME; x", "*"], NOBODYS).sign(b"message\n")

        text = told.read_text()
        assert text.startswith("$HOME; x|*|message\n")
        assert "KMS_REGION=here\n" in text
        assert f"SUPPORTACCESS_PUBLIC_KEY={'A' * 43}=\n" in text
        assert "c4nary" not in text

    @pytest.mark.parametrize(
        ("does", "told"),
        [
            ("echo >&2 'no  session'; exit 3", "ended with 3 and signed nothing: no session"),
            ("kill -9 $$", "ended with -9"),
            ("exec <&-; exit 1", "ended with 1"),
            (":", "wrote 0 bytes, and a signature has 64"),
            ("head -c 63 /dev/zero", "wrote 63 bytes"),
            ("head -c 64 /dev/zero | base64 -w 0", "wrote 88 bytes"),
            ("head -c 1000000 /dev/zero", "wrote 4,096 bytes"),
            ("head -c 64 /dev/urandom", "is not by the key"),
        ],
    )
    def test_one_that_does_not_sign(self, tmp_path: Path, does: str, told: str) -> None:
        """Whatever else it writes or ends with is a failure that says so, and its signature is not used."""
        signer = CommandSigner([str(shell(tmp_path / "p", does))], NOBODYS)
        with pytest.raises(SignerFailed) as failed:
            try_out(signer)
        assert told in failed.value.message

    def test_one_that_says_much(self, tmp_path: Path) -> None:
        """Of what it says on standard error the beginning is told, and nothing of it in what may be logged."""
        does = "yes c4nary | head -c 1000000 >&2; exit 1"
        with pytest.raises(SignerFailed, match="c4nary") as failed:
            CommandSigner([str(shell(tmp_path / "p", does))], NOBODYS).sign(b"x")
        assert len(failed.value.message) < 600
        assert "c4nary" not in failed.value.summary

    @pytest.mark.parametrize("name", ["missing", "folder", "text"])
    def test_one_that_cannot_be_started(self, tmp_path: Path, name: str) -> None:
        """What is no program is told."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "text").write_text("x")
        with pytest.raises(SignerFailed, match="cannot be started"):
            CommandSigner([str(tmp_path / name)], NOBODYS).sign(b"x")

    @pytest.mark.parametrize("does", ["sleep 600", "sleep 600 & echo $! > {pid}", "while :; do echo x; done"])
    def test_one_that_hangs(self, tmp_path: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """After the time limit it is ended, with what it started."""
        pid = tmp_path / "pid"
        script = shell(tmp_path / "p", f"echo $$ > {quote(str(pid))}; {does.format(pid=quote(str(pid)))}")
        for seconds in (1, 10, 60):  # more of them where a busy machine does not even start it
            monkeypatch.setattr(command_signer, "SECONDS", float(seconds))
            with pytest.raises(SignerFailed, match=f"did not sign within {seconds} seconds"):
                CommandSigner([str(script)], NOBODYS).sign(b"x")
            if pid.exists() and pid.read_text():
                break

        assert is_gone(int(pid.read_text()))


def is_gone(pid: int) -> bool:
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "(zombie)" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.1)
    return False


class TestPublicKeys:
    def test_pem_and_der(self, elsewhere: OpenSsl) -> None:
        """Both ways to write a public key are read."""
        pem = elsewhere.public.read_text()
        assert parse_public_key(b64decode("".join(pem.split("\n")[1:-2]))) == public(elsewhere)

    @pytest.mark.parametrize("what", ["private", "rsa", "nothing", "text"])
    def test_what_is_none(self, elsewhere: OpenSsl, tmp_path: Path, what: str) -> None:
        """A private key, a key of another kind and anything else are refused."""
        (tmp_path / "nothing").write_bytes(b"")
        (tmp_path / "text").write_text("hello")
        shutil.copy(tmp_path / "elsewhere.pem", tmp_path / "private")
        for command in (["genrsa", "-out", "rsa.pem"], ["pkey", "-in", "rsa.pem", "-pubout", "-out", "rsa"]):
            subprocess.run(["openssl", *command], cwd=tmp_path, check=True, capture_output=True)
        with pytest.raises(InvalidInput):
            parse_public_key((tmp_path / what).read_bytes())
        assert public(elsewhere)


class TestKeys:
    def test_one_that_is_made(self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path) -> None:
        """The folder has the public half and nothing secret; logs are signed, and verify with the key shown."""
        keys = keys_with(tmp_path / "keys", elsewhere.program)
        assert keys.make("logs.contoso.example/a", public(elsewhere))
        assert not keys.make()
        raised(world.store())

        assert sign_all(world.engine, keys) == 1
        assert keys.is_kept_elsewhere
        file = keys.folder / "signing.key"
        assert parse_key(file.read_text().strip()).public_key == public(elsewhere)
        assert file.stat().st_mode & 0o777 == 0o600
        checked = verify_signed(world.engine, keys, caller(HOME))
        assert (checked.findings, checked.signed_by) == ([], str(key_of(keys.signers()[0], keys.origin(HOME))))

    def test_none_is_made_on_first_use(self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path) -> None:
        """Who names a program does not get a key file instead."""
        keys = keys_with(tmp_path / "keys", elsewhere.program)
        raised(world.store())
        with pytest.raises(StoreRefused, match="no key in") as refused:
            sign_all(world.engine, keys)
        assert "key make --public-key" in (refused.value.hint or "")
        assert not keys.exists

    def test_one_that_nobody_signs_with(self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path) -> None:
        """A key is tried before it is made; one that lost its program is told of, and still verifies."""
        with pytest.raises(SignerFailed, match="nothing is set"):
            Keys(tmp_path / "keys").make(public_key=public(elsewhere))
        with pytest.raises(SignerFailed, match="is not by the key"):
            keys_with(tmp_path / "keys", elsewhere.program).make(public_key=NOBODYS)
        assert not Keys(tmp_path / "keys").exists

        keys_with(tmp_path / "keys", elsewhere.program).make(public_key=public(elsewhere))
        raised(world.store())
        sign_all(world.engine, keys_with(tmp_path / "keys", elsewhere.program))
        alone = Keys(tmp_path / "keys")
        assert verify_signed(world.engine, alone, caller(HOME)).findings == []
        raised(world.store(), asking("2"))
        with pytest.raises(SignerFailed, match="nothing is set"):
            sign_all(world.engine, alone)

    def test_a_failure_leaves_entries_that_are_signed_later(
        self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path
    ) -> None:
        """What was signed stays what it was while nobody signs, and everything is signed the next time."""
        keys = keys_with(tmp_path / "keys", elsewhere.program)
        keys.make(public_key=public(elsewhere))
        raised(world.store())
        before = sign_log(world.engine, keys, HOME)
        working = elsewhere.program.read_text()
        shell(elsewhere.program, "head -c 64 /dev/zero")
        raised(world.store(), asking("2"))
        with pytest.raises(SignerFailed):
            sign_all(world.engine, keys)
        head = keys.head(HOME)
        assert head is not None
        assert head[0] == before

        elsewhere.program.write_text(working)
        assert sign_all(world.engine, keys) == 1
        assert verify_signed(world.engine, keys, caller(HOME)).size == 2

    def test_what_is_no_key(self, tmp_path: Path) -> None:
        """A broken public half is refused as a broken key file is."""
        keys = Keys(tmp_path / "keys")
        keys.make()
        file = keys.folder / "signing.key"
        for text in (f"{PETER}x", PETER.replace("PeterNeumann", "Paul"), "a+b", "\xff"):
            file.write_text(text)
            with pytest.raises(StoreRefused, match="is not a signing key"):
                Keys(keys.folder).signers()


class TestRotation:
    def test_there_and_back(self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path) -> None:
        """From a file to a key elsewhere, to another one, and to a file: the first key verifies to the end."""
        second = OpenSsl(tmp_path, "second")
        both = shell(
            tmp_path / "both",
            f"case $SUPPORTACCESS_PUBLIC_KEY in {b64encode(public(second)).decode()}) exec {second.program};;"
            f" *) exec {elsewhere.program};; esac",
        )
        keys = keys_with(tmp_path / "keys", both)
        Keys(keys.folder).make()
        for tenant_id in (HOME, FOREIGN):
            raised(world.store(tenant_id))
        sign_all(world.engine, keys)
        first = key_of(keys.signers()[0], keys.origin(HOME))

        seen = [first.public_key]
        for public_key in (public(elsewhere), public(second), None):
            assert rotate(world.engine, keys, caller(HOME).actor, world.clock, public_key) == sorted([HOME, FOREIGN])
            (signer,) = keys.signers()
            assert public_key in {None, signer.public_key}
            seen.append(signer.public_key)
            raised(world.store(), asking(str(len(seen))))
            sign_all(world.engine, keys)
            assert verify_signed(world.engine, keys, caller(HOME), [first]).findings == []

        assert len(set(seen)) == 4
        assert not keys.is_kept_elsewhere
        rotations = [each for each in world.entries(HOME) if each.activity is Activity.KEY_ROTATED]
        assert len(rotations) == 3
        assert len(parse_note(str((rotations[0].details or {})["note"]).encode()).signatures) == 2

    def test_one_whose_new_key_does_not_sign(self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path) -> None:
        """The new key is tried before anything is changed; nor can the key follow itself."""
        keys = keys_with(tmp_path / "keys", elsewhere.program)
        keys.make(public_key=public(elsewhere))
        raised(world.store())
        for public_key, refusal in ((NOBODYS, SignerFailed), (public(elsewhere), InvalidInput)):
            with pytest.raises(refusal):
                rotate(world.engine, keys, caller(HOME).actor, world.clock, public_key)

        assert not (keys.folder / "next.key").exists()
        assert [entry.activity for entry in world.entries(HOME)] == [Activity.REQUEST_CREATED]

    def test_another_one_in_the_middle(self, elsewhere: OpenSsl, world: StoreWorld, tmp_path: Path) -> None:
        """While one rotation is under way no other one begins; the first is gone on with."""
        keys = keys_with(tmp_path / "keys", elsewhere.program)
        Keys(keys.folder).make()
        raised(world.store())
        keys.make_next()
        with pytest.raises(InvalidInput, match="under way"):
            rotate(world.engine, keys, caller(HOME).actor, world.clock, public(elsewhere))
        assert rotate(world.engine, keys, caller(HOME).actor, world.clock) == [HOME]

    def test_nobody_waits_for_who_signs_it(
        self, world: StoreWorld, path: Path, tmp_path: Path, opened: Callable[[Path], StoreWorld]
    ) -> None:
        """While a rotation is signed others decide; then its place in the log is another, and it is signed again."""
        other = opened(path)

        class Slow(SeedSigner):
            def sign(self, message: bytes) -> bytes:
                if message.startswith(b"supportaccess key rotation") and len(world.entries(HOME)) < 3:
                    raised(other.store(), asking(f"meanwhile{len(world.entries(HOME))}"))
                return super().sign(message)

        slow = Slow(bytes(32))
        keys = Keys(tmp_path / "keys", signer=lambda _: slow)
        keys.make(public_key=slow.public_key)
        raised(world.store())

        rotate(world.engine, keys, caller(HOME).actor, world.clock)

        assert [entry.activity for entry in world.entries(HOME)][3:] == [Activity.KEY_ROTATED]
        assert verify_signed(world.engine, keys, caller(HOME)).findings == []

    def test_a_log_that_never_rests(
        self,
        world: StoreWorld,
        path: Path,
        tmp_path: Path,
        opened: Callable[[Path], StoreWorld],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where entries come faster than they are signed the rotation says so, and is gone on with later."""
        other = opened(path)
        keys = Keys(tmp_path / "keys")
        raised(world.store())
        monkeypatch.setattr(key_rotation, "_TRIES", 3)

        def meanwhile(*arguments: object) -> object:
            raised(other.store(), asking(str(other.entries(HOME)[-1].sequence)))
            return sign(*arguments)  # type: ignore[arg-type]  # as they came

        monkeypatch.setattr(key_rotation, "sign", meanwhile)
        with pytest.raises(StoreUnavailable, match="grew each time"):
            rotate(world.engine, keys, caller(HOME).actor, world.clock)
        monkeypatch.undo()

        assert rotate(world.engine, keys, caller(HOME).actor, world.clock) == [HOME]
        assert verify_signed(world.engine, keys, caller(HOME)).findings == []
