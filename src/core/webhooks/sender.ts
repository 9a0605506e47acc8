import type { Settings } from "../../platform/settings.ts"
import { unseal } from "../identity/secrets-at-rest.ts"
import { attempt, type Outcome, type Outside } from "./attempt.ts"
import { owner, type Sign, signer } from "./signatures.ts"
import type { StoredEndpoint } from "./stored-endpoint.ts"

/** What one endpoint is to be sent, as its object is told. */
export interface Order {
  readonly endpoint: Pick<StoredEndpoint, "id" | "url" | "headers">
  /** Sealed: each signs, the newest first. */
  readonly secrets: readonly string[]
  /** In their order, each behind the one before it. */
  readonly events: readonly { readonly id: string; readonly body: string }[]
  /** Milliseconds since the epoch: beyond, what was read is to be read again before anything leaves. */
  readonly freshUntil: number
}

export interface Answer {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly outcome: Outcome
}

/** What an endpoint's object keeps between two orders: secrets that are open, by what they are sealed in. */
export interface Opened {
  readonly sealed: string
  readonly sign: Sign
  readonly headers: Readonly<Record<string, string>>
}

/** @throws {Problem} `misconfigured` for a secret that does not open */
export async function open(
  settings: Settings,
  { endpoint: { id, headers }, secrets }: Order,
  known: Opened | null,
): Promise<Opened> {
  const sealed = JSON.stringify([secrets, headers])
  if (known?.sealed === sealed) return known
  const sign = await signer(settings, id, secrets)
  const own = headers
    ? (JSON.parse((await unseal(settings, owner(id), headers)).toString()) as Record<
        string,
        string
      >)
    : {}
  return { sealed, sign, headers: own }
}

interface Circumstances {
  readonly now?: () => number
  /** Waited for before each event. */
  readonly giveWay?: () => Promise<void>
}

/**
 * Sends events one after the other, up to the first that is not taken. Answers what became of each that was sent: of none
 * where they were read too long ago.
 */
export async function send(
  settings: Settings,
  outside: Outside,
  { endpoint, events, freshUntil }: Order,
  { sign, headers }: Opened,
  { now = Date.now, giveWay = async () => {} }: Circumstances = {},
): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const { id, body } of events) {
    await giveWay()
    const at = now()
    if (at > freshUntil) break
    const timestamp = Math.floor(at / 1_000)
    const signed = {
      ...headers,
      "content-type": "application/json",
      "user-agent": "Hinterland-Webhooks/1",
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": await sign({ id, timestamp, body }),
    }
    const outcome = await attempt(settings, outside, endpoint.url, signed, body)
    answers.push({ at, outcome })
    if (outcome.error !== null) break
  }
  return answers
}
