import { Hono, type MiddlewareHandler } from "hono"
import type { z } from "zod"
import type { SignedIn } from "../../platform/http.ts"
import { queryOf } from "../../platform/input.ts"
import { Problem } from "../../platform/problem.ts"
import type { OrganisationRoles } from "../identity/organisation-roles.ts"
import { type Exposure, measureExposure } from "./exposure.ts"
import { castFor, personasFor } from "./exposure-cast.ts"
import { type exposureAnswer, exposureQuery } from "./exposure-schema.ts"
import type { LinkedCollections } from "./link.ts"
import type { Persona } from "./personas.ts"

/** Records of which the newest are looked at, for each persona: what one question may cost. */
export const countedRecords = 10_000

/**
 * Mounted at `/exposure`: who reaches what of a collection, by kinds of people and of one person. For administrators,
 * whether or not the collection holds them to its rules: it tells numbers and names of fields, no record.
 */
export const exposureRoutes = (
  collections: LinkedCollections,
  roles: OrganisationRoles,
  administrators: MiddlewareHandler<SignedIn>,
) =>
  new Hono<SignedIn>().get("/", administrators, queryOf(exposureQuery), async (c) => {
    const app = c.get("app")
    const { collection: name, person } = c.req.valid("query")
    const collection = collections.get(name)
    if (!collection) throw new Problem("not_found", "There is no such collection.")
    const chosen = person === undefined ? [] : await personasFor(app, c.get("actor"), person)
    const cast = await castFor(app, collection, countedRecords)
    const personas = [...cast.personas(collections, roles), ...chosen]
    const exposures = await measureExposure(app, collections, collection, personas, countedRecords)
    const counted = exposures[0]?.of ?? 0
    return c.json({
      collection: name,
      counted,
      bounded: counted === countedRecords,
      personas: personas.map((persona) => ofPersona(persona, exposures)),
    } satisfies z.output<typeof exposureAnswer>)
  })

function ofPersona(persona: Persona, exposures: readonly Exposure[]) {
  const { kind, role, actor } = persona
  const known = (kind === "owner" || kind === "person") && actor.kind === "user"
  return {
    ...{ kind, role },
    person: known ? actor.id : null,
    organisation: actor.kind === "user" ? actor.organisation : null,
    actions: exposures
      .filter((one) => one.persona === persona)
      .map(({ action, rule, rows, without }) => ({ action, rule, rows, without: [...without] })),
  }
}
