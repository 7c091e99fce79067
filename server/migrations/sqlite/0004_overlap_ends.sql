-- Finds the tokens whose old secret is no longer accepted.
CREATE INDEX tokens_by_previous_expiry ON tokens (previous_expires_at)
    WHERE previous_expires_at IS NOT NULL;
