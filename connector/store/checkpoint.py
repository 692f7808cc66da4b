"""Checkpoints: where an account's evidence begins once old lines were deleted, signed by us."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from connector.errors import SettingsError
from connector.store.database import now
from connector.store.keys import Keys
from connector.store.tables import chain, secret

PURPOSE = "evidence checkpoint"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """The newest line that was deleted for its age; all the lines before it were, too."""

    account: str
    number: int
    #: of that line
    hash: str
    #: when it was deleted, epoch seconds
    at: float
    signature: str

    @property
    def text(self) -> str:
        """What is signed."""
        return "\n".join((self.account, str(self.number), self.hash, repr(float(self.at))))

    def is_signed(self, keys: Keys) -> bool:
        """Whether one of our keys signed it. Raises `SettingsError` where there is no key."""
        return keys.has_signed(PURPOSE, self.text, self.signature)


def checkpoint_of(row: Row[Any] | None) -> Checkpoint | None:
    """The checkpoint in a row of `chain`; None when nothing was ever deleted."""
    if row is None or not row.pruned_number:
        return None
    return Checkpoint(
        account=row.account,
        number=row.pruned_number,
        hash=row.pruned_hash or "",
        at=row.pruned_at or 0.0,
        signature=row.signature or "",
    )


def move(conn: Connection, account: str, number: int, newest: str, keys: Keys) -> None:
    """Sign that the lines up to this one were deleted. Whoever calls it has locked `chain`.

    Raises `SettingsError` when there is no key.
    """
    at = now(conn)
    new = Checkpoint(account=account, number=number, hash=newest, at=at, signature="")
    signature = keys.sign(PURPOSE, new.text, make=_is_first(conn))
    conn.execute(
        update(chain)
        .where(chain.c.account == account)
        .values(pruned_number=number, pruned_hash=newest, pruned_at=at, signature=signature)
    )


def refuse_foreign(checkpoint: Checkpoint, keys: Keys) -> None:
    """Raise `SettingsError` for one that we did not sign: to move it would make it ours."""
    if not checkpoint.is_signed(keys):
        raise SettingsError(
            f"account {checkpoint.account}: the checkpoint of its evidence was not signed with the "
            f"key of {keys.origin}, so that no more lines are deleted; put the right key back, or "
            f"see what 'deskclock evidence verify {checkpoint.account}' says"
        )


def _is_first(conn: Connection) -> bool:
    """Whether no key was ever used, so that a missing one may be made and was not lost."""
    signed = select(chain.c.account).where(chain.c.signature.is_not(None))
    encrypted = select(secret.c.account).where(secret.c.value != "")
    return (
        conn.execute(signed.limit(1)).first() is None
        and conn.execute(encrypted.limit(1)).first() is None
    )
