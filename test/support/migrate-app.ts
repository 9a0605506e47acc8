import { applyD1Migrations } from "cloudflare:test"
import { env } from "cloudflare:workers"

/** All migrations, as a deployment has them. */
await applyD1Migrations(env.DB, env.TEST_MIGRATIONS)
