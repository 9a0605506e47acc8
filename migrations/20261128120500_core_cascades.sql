-- What a deletion is about to take along: filled, used and emptied within one batch, so that nobody ever finds a row here.
CREATE TABLE cascades (
  subject TEXT NOT NULL,
  record TEXT NOT NULL,
  fate TEXT NOT NULL CHECK (fate IN ('deleted', 'released')),
  PRIMARY KEY (subject, record)
) STRICT, WITHOUT ROWID;
