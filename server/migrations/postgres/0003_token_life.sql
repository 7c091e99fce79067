-- What a token's life needs.

-- The addresses and networks that a token may be used from, separated by commas; all if it is null.
ALTER TABLE tokens ADD COLUMN allowed_ips TEXT COLLATE "C" CHECK (allowed_ips <> '');
-- When the token got its secret, if that is not its first one. The secret before is accepted until
-- `previous_expires_at`.
ALTER TABLE tokens ADD COLUMN rotated_at BIGINT,
    ADD COLUMN previous_digest BYTEA CHECK (length(previous_digest) = 32),
    ADD COLUMN previous_expires_at BIGINT
    CHECK ((previous_digest IS NULL) = (previous_expires_at IS NULL));

-- When and by which client's address the token was last used; null if it never was.
ALTER TABLE tokens ADD COLUMN last_used_at BIGINT;
ALTER TABLE tokens ADD COLUMN last_used_ip TEXT COLLATE "C" CHECK (last_used_ip <> '');

-- Finds the tokens that have expired.
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX tokens_by_previous_digest ON tokens (previous_digest)
    WHERE previous_digest IS NOT NULL;

-- The secrets that a token had before, each until its token is gone, so that their use is noticed.
CREATE TABLE retired_secrets (
    digest    BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    position  BIGINT NOT NULL REFERENCES tokens (position) ON DELETE CASCADE,
    is_reused BIGINT NOT NULL DEFAULT 0 CHECK (is_reused IN (0, 1))
);
CREATE INDEX retired_secrets_by_token ON retired_secrets (position);

-- How long the tokens of an organization may live, and whether unrestricted ones reach it.
ALTER TABLE organizations
    ADD COLUMN default_expiration TEXT COLLATE "C" NOT NULL DEFAULT 'never',
    ADD COLUMN maximum_expiration TEXT COLLATE "C" NOT NULL DEFAULT 'never',
    ADD COLUMN allow_unrestricted BIGINT NOT NULL DEFAULT 1 CHECK (allow_unrestricted IN (0, 1));
