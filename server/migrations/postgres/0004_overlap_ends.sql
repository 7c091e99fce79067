-- Finds the tokens whose overlap has ended.
CREATE INDEX tokens_by_previous_expiry ON tokens (previous_expires_at)
    WHERE previous_expires_at IS NOT NULL;
