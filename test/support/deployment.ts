import { createExecutionContext } from "cloudflare:test"
import { requestOf } from "./people.ts"
import worker from "./worker.ts"

/** The whole worker as a deployment with these variables would be: for settings that other tests do without. */
export const fetchFrom = async (env: object, request: Request): Promise<Response> =>
  worker.fetch(
    request as unknown as Parameters<typeof worker.fetch>[0],
    env as Env,
    createExecutionContext(),
  )

/** The same by what `call` takes. */
export const callAt = (env: object, ...said: Parameters<typeof requestOf>): Promise<Response> =>
  fetchFrom(env, requestOf(...said))
