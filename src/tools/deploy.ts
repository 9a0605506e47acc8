import { unstable_readConfig as readConfig } from "wrangler"
import { buildPages } from "./build-pages.ts"
import { type Deployment, deploy, type Runner } from "./deploy-steps.ts"
import { checkDefinitions } from "./dev-check.ts"
import { runWrangler } from "./dev-wrangler.ts"
import { listMigrations } from "./migrations.ts"

/*
 * `npm run deploy`, to the account that wrangler is signed in to. `--dry-run` prints the commands of a first deploy
 * and runs none.
 */

const dryRun = process.argv.includes("--dry-run")

const really: Runner = ({ parameters, input }) => runWrangler(parameters, input)

/** Answers as an account would that has nothing of ours. */
const recording: Runner = async ({ parameters, input }) => {
  const secrets = input ? `  < ${Object.keys(JSON.parse(input) as object).join(", ")}` : ""
  const words = parameters.map((word) => (word.length > 60 ? `"${word.slice(0, 60)}…"` : word))
  console.log(`  wrangler ${words.join(" ")}${secrets}`)
  if (parameters[0] === "queues" && parameters[1] === "info") throw new Error("It does not exist.")
  return parameters.includes("list") ? "[]" : ""
}

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const problems = checkDefinitions()
    if (problems.length > 0) throw new Error(problems.join("\n"))
    await buildPages()
    const config = readConfig({ config: "wrangler.toml" })
    const { name, d1_databases: databases, queues: bound, vars } = config
    if (!name) throw new Error("wrangler.toml has no name for the Worker.")
    const queues = (bound.consumers ?? []).map(({ queue }: { queue: string }) => queue)
    const run = dryRun ? recording : really
    const deployment = await deploy(
      run,
      name,
      { databases, queues, migrations: listMigrations() },
      console.log,
    )
    console.log(conclusion(deployment))
    if (!("PUBLIC_URL" in vars)) console.log(publicUrlHint(deployment.url))
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}

/** Wrangler tells the address only once the Worker serves, so it cannot be set beforehand. */
function publicUrlHint(url: string | null): string {
  const origin = url ?? "https://<your worker>"
  return `
Links in mails need the address of the deployment: under [vars] in wrangler.toml, set PUBLIC_URL = "${origin}" (or your own domain), and run npm run deploy again.`
}

function conclusion({ url, adminCode }: Deployment): string {
  const origin = url ?? "https://<your worker>"
  if (dryRun) return "\nNothing was run. A database or a secret that exists is left as it is."
  if (!adminCode) return `\nDeployed to ${origin}.`
  return `
Deployed to ${origin}. Now make the first administrator; the code works once and is shown only here:

  curl ${origin}/auth/administrators -H 'content-type: application/json' \\
    -d '{"code":"${adminCode}","email":"you@example.com","password":"<at least 8 characters>"}'

Was the code lost? npx wrangler secret delete ADMIN_CODE_HASH, then npm run deploy makes another.`
}
