import type { ActingKey } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import type { Standing } from "../identity/standing-actor.ts"
import type { Scheme } from "./signatures.ts"

export type DisabledReason = "owner" | "gone" | "failing" | "filter" | "request"

/** An endpoint as it is stored. */
export interface StoredEndpoint {
  readonly id: string
  readonly owner: string
  readonly organisation: string | null
  readonly key: ActingKey | null
  readonly url: string
  readonly description: string | null
  readonly events: readonly string[]
  readonly filter: string | null
  readonly fields: readonly string[] | null
  /** Sealed. */
  readonly headers: string | null
  readonly headerNames: readonly string[]
  readonly scheme: Scheme
  readonly secret: string
  readonly publicKey: string | null
  readonly previousSecret: string | null
  readonly previousUntil: string | null
  readonly ratePerSecond: number
  readonly enabled: boolean
  readonly disabledReason: DisabledReason | null
  readonly disabledAt: string | null
  readonly failures: number
  readonly failingSince: string | null
  readonly failedAt: string | null
  readonly pausedUntil: string | null
  readonly createdAt: string
  readonly updatedAt: string
}

export const storedEndpoint = (row: Row): StoredEndpoint => ({
  ...(row as unknown as StoredEndpoint),
  key: parsed<ActingKey>(row.key),
  events: parsed<string[]>(row.events) ?? [],
  fields: parsed<string[]>(row.fields),
  headerNames: parsed<string[]>(row.headerNames) ?? [],
  enabled: row.enabled === 1,
})

const parsed = <Value>(text: unknown): Value | null =>
  typeof text === "string" ? (JSON.parse(text) as Value) : null

export const standingOf = ({ owner, organisation, key }: StoredEndpoint): Standing => ({
  user: owner,
  organisation,
  key,
})
