-- Passkeys that sign-in by other ways asks for, beside those that are only one more way to sign in.

ALTER TABLE passkeys ADD COLUMN secondFactor INTEGER NOT NULL DEFAULT 0 CHECK (secondFactor IN (0, 1));
