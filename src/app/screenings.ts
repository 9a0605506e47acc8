import { collection } from "../core/records/collection.ts"
import { datetime, integer, markdown, relation, text } from "../core/records/fields.ts"

const managers = 'has(@me.roles, "owner") || has(@me.roles, "admin")'

/** When a club shows a film. A club is an organisation: its members read, its owners and admins write, others see nothing. */
export const screenings = collection("screenings", {
  fields: {
    /** A film that a club shows is not deleted. */
    film: relation("films", { required: true }),
    startsAt: datetime({ required: true }),
    place: text({ required: true, max: 200 }),
    seats: integer({ min: 1, max: 10_000 }),
    notes: markdown({ max: 5_000 }),
  },
  scope: "organisation",
  rules: {
    read: "@me.id != null",
    create: managers,
    update: managers,
    delete: managers,
  },
  indexes: ["startsAt"],
})
