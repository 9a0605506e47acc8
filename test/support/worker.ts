import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import type { Http } from "../../src/platform/http.ts"
import { fixtures } from "./collections.ts"

const backend = createBackend({ collections: fixtures, routes: new Hono<Http>() })

export default backend.handler
export const ChangePump = backend.ChangePump
