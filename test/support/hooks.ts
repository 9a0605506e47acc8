import * as z from "zod"
import { type HookRun, inboundHook } from "../../src/core/inbound/hook.ts"
import { github } from "../../src/core/inbound/schemes/github.ts"
import { hmac } from "../../src/core/inbound/schemes/hmac.ts"
import { slack } from "../../src/core/inbound/schemes/slack.ts"
import { standardWebhooks } from "../../src/core/inbound/schemes/standard-webhooks.ts"
import { stripe } from "../../src/core/inbound/schemes/stripe.ts"
import type { Reach } from "../../src/core/records/reach.ts"

type Told = Readonly<Record<string, unknown>>

/** What becomes of events; tests put a handler of their own here. */
export const told: { apply: (run: HookRun<Told>, reach: Reach) => Promise<void> | void } = {
  apply: () => {},
}

const payload = z.record(z.string(), z.unknown())
const apply = (run: HookRun<Told>, reach: Reach) => told.apply(run, reach)
const retryDelays = [60, 120]

/** Their secrets are bindings of the tests (vitest.config.ts); the second of `partner` is its new one. */
export const fixtureHooks = [
  inboundHook("partner", {
    verify: standardWebhooks(),
    secrets: ["HOOK_PARTNER", "HOOK_PARTNER_NEXT"],
    payload,
    retryDelays,
    apply,
  }),
  inboundHook("payments", { verify: stripe(), secrets: ["HOOK_PAYMENTS"], payload, apply }),
  inboundHook("code", { verify: github(), secrets: ["HOOK_CODE"], payload, retryDelays, apply }),
  inboundHook("chat", { verify: slack(), secrets: ["HOOK_CHAT"], payload, apply }),
  inboundHook("sensors", {
    verify: hmac({ header: "X-Signature", encoding: "base64" }),
    secrets: ["HOOK_SENSORS"],
    payload: z.object({ celsius: z.number() }),
    keepHeaders: ["X-Sensor"],
    apply,
  }),
  /** Nobody has set its secret. */
  inboundHook("silent", { verify: github(), secrets: ["HOOK_SILENT"], payload, apply }),
]
