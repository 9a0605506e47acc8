import { type Context, Hono } from "hono"
import { anonymous } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { digest } from "../records/cursor.ts"
import { etagOf, matchesNone } from "../records/etag.ts"
import type { LinkedCollections } from "../records/link.ts"
import { viewFor } from "../records/view.ts"
import { openApiDocument } from "./openapi.ts"
import { type Reader, shapeOfReader } from "./reader.ts"

export const docsRoutes = (_collections: LinkedCollections): Hono<Http> => new Hono<Http>()
