import type { App } from "./app.ts"
import { invalidInput } from "./problem.ts"

/** The app on the database that a query asks for by name. @throws {Problem} `invalid_input` when there is none. */
export function onDatabase(app: App, database = "main"): App {
  if (app.databases.includes(database)) return app.on(database)
  throw invalidInput({
    path: "query.database",
    code: "unknown",
    message: `There is no database "${database}"; there is ${app.databases.join(", ")}.`,
  })
}
