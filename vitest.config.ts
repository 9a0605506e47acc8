import { resolve } from "node:path"
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"
import { unstable_readConfig as readConfig } from "wrangler"

const migrations = await readD1Migrations("migrations")

/** What stands in for what in the bundle, so that the tests run on what is deployed. */
const { alias = {} } = readConfig({ config: "wrangler.toml" })
const standIns = Object.entries<string>(alias).map(([find, path]) => ({
  find,
  replacement: resolve(path),
}))
/** What asks for them: a package that is left to the runtime would not see the stand-ins. */
const server = { deps: { inline: ["@simplewebauthn/server"] } }

/** Development secrets of the tests: the key pair is published here, so it protects nothing. */
const variables = {
  ENVIRONMENT: "development",
  SECRET: "test-secret-test-secret-test-secret-test-secret",
  SIGNING_KEYS: JSON.stringify([
    {
      kid: "test-1",
      kty: "OKP",
      crv: "Ed25519",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
      d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    },
  ]),
  HOOK_PARTNER: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  HOOK_PARTNER_NEXT: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  HOOK_PAYMENTS: "whsec_test_of_payments",
  HOOK_CODE: "It's a Secret to Everybody",
  HOOK_CHAT: "8f742231b10e8888abcd99yyyzzz85a5",
  HOOK_SENSORS: "planted-secret-of-the-sensors",
  HOOK_SILENT: "",
}

/** For two cores that run everything at once: what hangs is told late, and what is slow is not told as if it hung. */
const patience = {
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 60_000 } },
}

const worker = (main: string) =>
  cloudflareTest({
    main,
    wrangler: { configPath: "./wrangler.toml" },
    remoteBindings: false,
    miniflare: {
      // As `npm run dev` has it: a long job does not keep the next batch waiting.
      compatibilityFlags: ["queue_consumer_no_wait_for_wait_until"],
      bindings: { ...variables, TEST_MIGRATIONS: migrations },
      d1Databases: { DB: "main", DB_SECOND: "second" },
    },
  })

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: standIns },
        plugins: [worker("./test/support/worker.ts")],
        test: {
          name: "core",
          server,
          ...patience,
          include: ["test/core/**/*.test.ts", "test/conformance/**/*.test.ts"],
          exclude: ["test/core/expression/**"],
          setupFiles: ["test/support/migrate.ts"],
        },
      },
      {
        resolve: { alias: standIns },
        plugins: [worker("./src/worker.ts")],
        test: {
          name: "app",
          server,
          ...patience,
          include: ["test/app/**/*.test.ts"],
          setupFiles: ["test/support/migrate-app.ts"],
        },
      },
      {
        test: {
          name: "node",
          include: [
            "test/core/expression/**/*.test.ts",
            "test/tools/**/*.test.ts",
            "test/browser/**/*.test.ts",
            "test/client/**/*.test.ts",
            "test/console/**/*.test.ts",
            // For people who look.
            ...(process.env.PICTURES ? ["test/browser/page-pictures.ts"] : []),
          ],
          ...patience,
        },
      },
    ],
  },
})
