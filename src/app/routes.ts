import { Hono } from "hono"
import type { Http } from "../platform/http.ts"

/** Routes of this deployment's own, beside those of its collections. */
export const routes = new Hono<Http>()
