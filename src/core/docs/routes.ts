import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import type { LinkedCollections } from "../records/link.ts"

export const docsRoutes = (_collections: LinkedCollections): Hono<Http> => new Hono<Http>()
