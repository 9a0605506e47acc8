/**
 * What D1 costs beyond what the paid plan includes each month, in US dollars.
 *
 * @see https://developers.cloudflare.com/d1/platform/pricing/ as read in November 2026: rows read, 25 billion included,
 *   then $0.001 a million; rows written, 50 million included, then $1.00 a million. Rows of indexes count as written too.
 */
export const price = {
  rowsRead: { included: 25_000_000_000, dollarsPerMillion: 0.001 },
  rowsWritten: { included: 50_000_000, dollarsPerMillion: 1 },
} as const

/** Dollars for so many rows, as if nothing were included: what is included is shared by all that an account does. */
export const dollarsFor = (kind: keyof typeof price, rows: number): number =>
  (rows / 1_000_000) * price[kind].dollarsPerMillion
