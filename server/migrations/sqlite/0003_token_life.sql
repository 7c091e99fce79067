-- Limits, rotation and last use of tokens, token policies, and webhooks. It runs with foreign keys
-- off; they are checked before it commits.

-- The addresses and networks that may use a token, separated by commas; null means all.
ALTER TABLE tokens ADD COLUMN allowed_ips TEXT CHECK (allowed_ips <> '');
-- When the token was last rotated. The previous secret is accepted until `previous_expires_at`.
ALTER TABLE tokens ADD COLUMN rotated_at INTEGER;
ALTER TABLE tokens ADD COLUMN previous_digest BLOB CHECK (length(previous_digest) = 32);
ALTER TABLE tokens ADD COLUMN previous_expires_at INTEGER
    CHECK ((previous_digest IS NULL) = (previous_expires_at IS NULL));

-- When, and from which address, the token was last used; null if it was never used.
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
ALTER TABLE tokens ADD COLUMN last_used_ip TEXT CHECK (last_used_ip <> '');

-- The list of an organization is one range of this index, which has every column that the list
-- reads.
DROP INDEX tokens_by_organization;
CREATE INDEX tokens_by_organization ON tokens
    (organization_id, position, id, name, created_at, scopes, group_uuid, user_id, expires_at)
    WHERE organization_id IS NOT NULL;
-- Finds the tokens that have expired.
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX tokens_by_previous_digest ON tokens (previous_digest)
    WHERE previous_digest IS NOT NULL;

-- The old secrets of a token, until the token is deleted, so that their use is noticed.
CREATE TABLE retired_secrets (
    digest    BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    position  INTEGER NOT NULL REFERENCES tokens (position) ON DELETE CASCADE,
    is_reused INTEGER NOT NULL DEFAULT 0 CHECK (is_reused IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX retired_secrets_by_token ON retired_secrets (position);

-- The token policy: lifetimes of the organization's tokens, and whether unrestricted tokens reach
-- it.
ALTER TABLE organizations ADD COLUMN default_expiration TEXT NOT NULL DEFAULT 'never';
ALTER TABLE organizations ADD COLUMN maximum_expiration TEXT NOT NULL DEFAULT 'never';
ALTER TABLE organizations ADD COLUMN allow_unrestricted INTEGER NOT NULL DEFAULT 1
    CHECK (allow_unrestricted IN (0, 1));

-- The audit entries up to `position`, and the expiries up to `announced_at`, are queued for a
-- webhook. The server with the id `holder` has the lease to deliver until `held_until`.
CREATE TABLE webhooks (
    name         TEXT NOT NULL PRIMARY KEY,
    position     INTEGER NOT NULL,
    announced_at INTEGER NOT NULL,
    holder       TEXT NOT NULL DEFAULT '',
    held_until   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The messages that are not delivered yet. Those of a place (an organization or a user) are sent in
-- the order of `position`.
CREATE TABLE webhook_deliveries (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    webhook      TEXT NOT NULL REFERENCES webhooks (name),
    place        TEXT NOT NULL,
    code         TEXT NOT NULL,
    body         TEXT NOT NULL,
    queued_at    INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    failure      TEXT,
    set_aside_at INTEGER
) STRICT;
CREATE INDEX webhook_deliveries_by_place
    ON webhook_deliveries (webhook, set_aside_at, place, position);
