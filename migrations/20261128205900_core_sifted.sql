-- What is refused of many writes, while a batch judges them together: filled and undone within it, so that nobody ever finds a
-- row here.
CREATE TABLE sifted (
  place INTEGER PRIMARY KEY NOT NULL,
  halts INTEGER NOT NULL,
  refusal TEXT NOT NULL
) STRICT;
