/** Said by the event while it has been applied, else by its job: `failed` has been given up, cancelled, or lost its job. */
export const eventStates = ["waiting", "applied", "failed"] as const
export type EventState = (typeof eventStates)[number]

/** A row of `inbound_events`. */
export interface StoredEvent {
  readonly id: string
  readonly source: string
  readonly eventId: string
  readonly type: string | null
  /** JSON. */
  readonly headers: string
  readonly body: string
  readonly encoding: "utf8" | "base64"
  readonly sizeBytes: number
  readonly requestId: string
  readonly receivedAt: string
  readonly appliedAt: string | null
  readonly replays: number
}
