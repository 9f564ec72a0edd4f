"""Who may enter: accounts, browser sessions, API tokens. They belong to the whole platform, not to one town."""

from datetime import datetime

from sqlalchemy import delete, or_, select

from city.store import rows, tables
from city.store.database import Database
from city.store.ports import Account, Session, Token


class Accounts:
    """The accounts of a Store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def account(self, name: str) -> Account | None:
        with self._database.read() as connection:
            row = connection.execute(select(tables.accounts).where(tables.accounts.c.name == name)).first()
        return rows.account(row) if row else None

    def put_account(self, account: Account) -> None:
        """A new account, or a new password for one: then whoever was signed in under the old one is not any more."""
        values = {"name": account.name, "role": account.role.value, "tenant": account.tenant,
                  "password_hash": account.password_hash, "areas": rows.areas_text(account.areas)}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(tables.accounts), values)
            connection.execute(delete(tables.sessions).where(tables.sessions.c.account == account.name))

    def put_session(self, session: Session) -> None:
        values = {"digest": session.digest, "account": session.account, "csrf": session.csrf,
                  "expires_at": session.expires_at}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(tables.sessions), values)

    def session(self, digest: str, now: datetime) -> tuple[Session, Account] | None:
        """The session and whose it is; None if there is none or it has expired."""
        table = tables.sessions
        query = select(table).where(table.c.digest == digest, table.c.expires_at > now)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            owner = connection.execute(select(tables.accounts).where(tables.accounts.c.name == row.account)).one()
        return rows.session(row), rows.account(owner)

    def end_session(self, digest: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.digest == digest))

    def put_token(self, token: Token) -> None:
        values = {"digest": token.digest, "prefix": token.prefix, "name": token.name, "role": token.role.value,
                  "tenant": token.tenant, "created_at": token.created_at, "expires_at": token.expires_at,
                  "areas": rows.areas_text(token.areas)}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(tables.tokens), values)

    def token(self, digest: str, now: datetime) -> Token | None:
        """The token; None if there is none or it has expired."""
        table = tables.tokens
        lasting = or_(table.c.expires_at.is_(None), table.c.expires_at > now)
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.digest == digest, lasting)).first()
        return rows.token(row) if row else None
