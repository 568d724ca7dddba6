"""
The bank in SQLite: one file beside the ledger, for all worker processes of one machine.

Every method is one transaction, so ``kill -9`` at any point leaves a bank that holds what the last one said. That a
holder is alive is known by a lock on a file of its own, which the system drops when the process ends however it ends:
no clock decides about life and death. Amounts are kept as text, because picodollars of ten million dollars do not fit
in SQLite's integers.

The file must lie on a local disk; locks of network disks cannot be trusted.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from farthing.errors import LedgerFault
from farthing.ledger.sqlite import WAL, Layout, open_file, transaction
from farthing.limits.locks import Locks
from farthing.limits.protocol import PLEDGE, WANTED_S, AccountKey, Granted, Line, Short, State, granted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from farthing.limits.protocol import Ask, Share

STORE_NAME = "limits.sqlite"
"""The store's file, beside the ledger."""
BUSY_S = 0.25
"""How long one method waits for another process's transaction, each of which takes well under a millisecond."""

_LAYOUT = Layout(
    "the budgets' store",
    1,
    """
CREATE TABLE account (
    id INTEGER PRIMARY KEY, budget TEXT NOT NULL, value TEXT NOT NULL, start_s INTEGER NOT NULL, meter TEXT NOT NULL,
    base TEXT NOT NULL DEFAULT '0', presumed TEXT NOT NULL DEFAULT '0', wanted_s REAL NOT NULL DEFAULT -1e18,
    UNIQUE (budget, value, start_s, meter)
);
CREATE TABLE share (
    holder TEXT NOT NULL, account INTEGER NOT NULL, reported TEXT NOT NULL DEFAULT '0', lease TEXT NOT NULL DEFAULT '0',
    PRIMARY KEY (account, holder)
) WITHOUT ROWID;
CREATE INDEX share_of_holder ON share (holder);
CREATE TABLE holder (holder TEXT PRIMARY KEY, alive INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mark (account INTEGER NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (account, mark)) WITHOUT ROWID;
""",
)
_PLEDGES = f"{PLEDGE}*"


class SqliteBank:
    """
    The bank of one machine.

    Args:
        path: The file; made if it is not there.
        busy_s: How long a method waits for other processes.

    Raises:
        LedgerFault: It cannot be opened, is no such file, or was made by a newer farthing.

    """

    def __init__(self, path: Path, *, busy_s: float = BUSY_S) -> None:
        self._path = path
        self._locks = Locks(path.with_name(path.name + "-holders"))
        with self._faults():
            self._db = open_file(path, _LAYOUT, busy_s=busy_s, pragmas=WAL)

    def close(self) -> None:
        """Release the file. Holders that joined here and did not leave count as dead."""
        self._locks.close()
        self._db.close()

    # -- holders ------------------------------------------------------------------------------------------------------

    def join(self, holder: str) -> None:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults():
            self._locks.take(holder)
            with transaction(self._db):
                self._db.execute("INSERT OR REPLACE INTO holder VALUES (?, 1)", (holder,))

    def leave(self, holder: str) -> None:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            self._db.execute("UPDATE holder SET alive = 0 WHERE holder = ?", (holder,))
            rows = self._db.execute("SELECT account, reported, lease FROM share WHERE holder = ?", (holder,)).fetchall()
            if not any(int(lease) for _, _, lease in rows):
                self._fold(holder, [(account, int(reported)) for account, reported, _ in rows])
        self._locks.drop(holder)

    def bury(self) -> list[str]:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            self._db.executemany("UPDATE holder SET alive = 0 WHERE holder = ?", [(one,) for one in self._gone()])
            found = self._db.execute("SELECT holder FROM holder WHERE alive = 0 ORDER BY holder").fetchall()
        for (holder,) in found:
            self._locks.forget(holder)
        return [holder for (holder,) in found]

    def _gone(self) -> list[str]:
        """Holders that were alive and are not."""
        listed = self._db.execute("SELECT holder FROM holder WHERE alive = 1").fetchall()
        return [holder for (holder,) in listed if self._locks.is_free(holder)]

    # -- slices -------------------------------------------------------------------------------------------------------

    def lease(self, holder: str, asks: Sequence[Ask], now_s: float) -> Granted | Short:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            accounts = [self._account(ask.key) for ask in asks]
            states = [self._state(account, holder, now_s) for account in accounts]
            grants: list[int] = []
            for ask, account, state in zip(asks, accounts, states, strict=True):
                grant = granted(ask, state)
                if grant is None:
                    self._db.execute("UPDATE account SET wanted_s = ? WHERE id = ?", (now_s, account))
                    return Short(ask.key, state._replace(wanted=True))
                grants.append(grant)
            for number, grant in enumerate(grants):
                if grant:
                    states[number] = self._lent(accounts[number], holder, grant, states[number])
            return Granted(tuple(grants), tuple(states))

    def _lent(self, account: int, holder: str, grant_pusd: int, state: State) -> State:
        query = "SELECT lease FROM share WHERE account = ? AND holder = ?"
        row = self._db.execute(query, (account, holder)).fetchone()
        lease = grant_pusd + (int(row[0]) if row else 0)
        self._set(holder, account, state.mine_pusd, lease)
        return state._replace(held_pusd=state.held_pusd + grant_pusd)

    def report(self, holder: str, shares: Sequence[Share], now_s: float) -> tuple[State, ...]:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            accounts = [self._account(share.key) for share in shares]
            for share, account in zip(shares, accounts, strict=True):
                self._set(holder, account, share.reported_pusd, share.lease_pusd)
            return tuple(self._state(account, holder, now_s) for account in accounts)

    def wanted(self, holder: str, now_s: float) -> list[AccountKey]:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults():
            rows = self._db.execute(
                "SELECT budget, value, start_s, meter FROM account JOIN share ON share.account = account.id"
                " WHERE holder = ? AND lease <> '0' AND wanted_s > ? ORDER BY 1, 2, 3, 4",
                (holder, now_s - WANTED_S),
            ).fetchall()
        return [AccountKey(*row) for row in rows]

    # -- the truth ----------------------------------------------------------------------------------------------------

    def truth(
        self, holder: str, spent_pusd: Mapping[AccountKey, int], open_pusd: Mapping[AccountKey, int] | None = None
    ) -> bool:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            if self._db.execute("SELECT alive FROM holder WHERE holder = ?", (holder,)).fetchone() != (0,):
                return False
            rows = self._db.execute("SELECT account, reported, lease FROM share WHERE holder = ?", (holder,)).fetchall()
            counted = {account: int(reported) + int(lease) for account, reported, lease in rows}
            spent = {self._account(key): pusd for key, pusd in spent_pusd.items()}
            still = None if open_pusd is None else {self._account(key): pusd for key, pusd in open_pusd.items()}
            touched = counted.keys() | spent.keys() | (still or {}).keys()
            if still == {}:
                self._fold(holder, [(account, spent.get(account, 0)) for account in touched])
                return True
            for account in touched:
                sure = spent.get(account, 0)
                lease = max(0, counted.get(account, 0) - sure) if still is None else still.get(account, 0)
                self._set(holder, account, sure, lease)
            return True

    def leased(self, holder: str) -> dict[AccountKey, int]:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults():
            rows = self._db.execute(
                "SELECT budget, value, start_s, meter, lease FROM account JOIN share ON share.account = account.id"
                " WHERE holder = ? AND lease <> '0'",
                (holder,),
            ).fetchall()
        return {AccountKey(*key): int(lease) for *key, lease in rows}

    def rebuild(self, spent_pusd: Mapping[AccountKey, int], *, keep_presumed: bool, forget_before_s: float = 0) -> bool:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            alive = self._db.execute("SELECT count(*) FROM holder WHERE alive = 1").fetchone()[0]
            if alive > len(self._gone()):
                self._begin(spent_pusd)
                return False
            self._forget(forget_before_s)
            for key in spent_pusd:
                self._account(key)
            pledged: dict[int, int] = {}
            for account, lease in self._db.execute("SELECT account, lease FROM share WHERE holder GLOB ?", (_PLEDGES,)):
                pledged[account] = pledged.get(account, 0) + int(lease)
            for account, *key in self._db.execute("SELECT id, budget, value, start_s, meter FROM account").fetchall():
                state, spent = self._state(account, "", 0.0), spent_pusd.get(AccountKey(*key), 0)
                counted = state.spent_pusd + state.held_pusd - pledged.get(account, 0)
                presumed = max(0, counted - spent) if keep_presumed else 0
                values = (str(spent), str(presumed), account)
                self._db.execute("UPDATE account SET base = ?, presumed = ?, wanted_s = -1e18 WHERE id = ?", values)
            self._db.execute("DELETE FROM share WHERE holder NOT GLOB ?", (_PLEDGES,))
            self._db.execute("DELETE FROM holder WHERE holder NOT IN (SELECT holder FROM share)")
        return True

    def _begin(self, spent_pusd: Mapping[AccountKey, int]) -> None:
        made = "INSERT OR IGNORE INTO account (budget, value, start_s, meter, base) VALUES (?, ?, ?, ?, ?)"
        self._db.executemany(made, [(*key, str(pusd)) for key, pusd in spent_pusd.items()])

    def _forget(self, before_s: float) -> None:
        found = self._db.execute("SELECT id FROM account WHERE start_s > 0 AND start_s < ?", (before_s,)).fetchall()
        self._db.executemany("DELETE FROM share WHERE account = ?", found)
        self._db.executemany("DELETE FROM mark WHERE account = ?", found)
        self._db.executemany("DELETE FROM account WHERE id = ?", found)

    def first(self, key: AccountKey, mark: str) -> bool:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db):
            row = (self._account(key), mark)
            return self._db.execute("INSERT OR IGNORE INTO mark VALUES (?, ?)", row).rowcount == 1

    def lines(self) -> list[Line]:
        """See :class:`~farthing.limits.protocol.Bank`."""
        with self._faults(), transaction(self._db, "BEGIN"):  # who only looks keeps nobody from writing
            rows = self._db.execute("SELECT id, budget, value, start_s, meter FROM account").fetchall()
            keys = sorted((AccountKey(*key), account) for account, *key in rows)
            states = [(key, self._state(account, "", 0.0)) for key, account in keys]
        return [Line(key, one.spent_pusd, one.held_pusd, one.presumed_pusd) for key, one in states]

    # -- rows ---------------------------------------------------------------------------------------------------------

    def _account(self, key: AccountKey) -> int:
        query = "SELECT id FROM account WHERE budget = ? AND value = ? AND start_s = ? AND meter = ?"
        row = self._db.execute(query, key).fetchone()
        if row is None:
            made = "INSERT INTO account (budget, value, start_s, meter) VALUES (?, ?, ?, ?)"
            return int(self._db.execute(made, key).lastrowid or 0)
        return int(row[0])

    def _state(self, account: int, holder: str, now_s: float) -> State:
        query = "SELECT base, presumed, wanted_s FROM account WHERE id = ?"
        base, presumed_base, wanted_s = self._db.execute(query, (account,)).fetchone()
        spent, held, presumed, mine = int(base), int(presumed_base), int(presumed_base), 0
        for name, reported, lease, alive in self._db.execute(
            "SELECT share.holder, reported, lease, alive FROM share LEFT JOIN holder USING (holder) WHERE account = ?",
            (account,),
        ):
            spent += int(reported)
            held += int(lease)
            presumed += 0 if alive else int(lease)
            mine = int(reported) if name == holder else mine
        return State(spent, held, presumed, mine, now_s - wanted_s < WANTED_S)

    def _set(self, holder: str, account: int, reported_pusd: int, lease_pusd: int) -> None:
        self._db.execute(
            "INSERT INTO share VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, holder) DO UPDATE SET reported = excluded.reported, lease = excluded.lease",
            (holder, account, str(reported_pusd), str(lease_pusd)),
        )

    def _fold(self, holder: str, spent: Sequence[tuple[int, int]]) -> None:
        """Nobody has to answer for that holder's share any more."""
        for account, spent_pusd in spent:
            (base,) = self._db.execute("SELECT base FROM account WHERE id = ?", (account,)).fetchone()
            self._db.execute("UPDATE account SET base = ? WHERE id = ?", (str(int(base) + spent_pusd), account))
        self._db.execute("DELETE FROM share WHERE holder = ?", (holder,))
        self._db.execute("DELETE FROM holder WHERE holder = ?", (holder,))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise LedgerFault(f"the budgets' store {self._path.name} does not answer: {error}") from error
