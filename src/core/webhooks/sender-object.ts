import { DurableObject } from "cloudflare:workers"
import { resolveByHttps } from "../../platform/dns-over-https.ts"
import { giveWay } from "../../platform/give-way.ts"
import { parseSettings } from "../../platform/settings.ts"
import type { Outside } from "./attempt.ts"
import { type Answer, type Opened, type Order, open, send } from "./sender.ts"

/*
 * One object an endpoint, so that none waits for another's receiver, and each has connections of its own. It stores nothing:
 * what waits is in the database, and who is next is the dispatcher's to say.
 */

const world: Outside = { fetch: (request) => fetch(request), resolve: resolveByHttps }

/** The Durable Object class that sends to one endpoint what it is told to. */
export const webhookSender = (outside: Outside = world) =>
  class WebhookSender extends DurableObject<Env> {
    #settings = parseSettings(this.env)
    #opened: Opened | null = null
    #last: Promise<unknown> = Promise.resolve()

    /**
     * Sends events in their order, after those of any order before: a dispatcher that was started anew may not know of it.
     * Throws where a secret does not open.
     */
    send(order: Order): Promise<Answer[]> {
      const answers = this.#last.then(async () => {
        this.#opened = await open(this.#settings, order, this.#opened)
        return send(this.#settings, outside, order, this.#opened, { giveWay })
      })
      this.#last = answers.catch(() => {})
      return answers
    }
  }
