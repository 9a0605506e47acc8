import { collection } from "../../../src/core/records/collection.ts"
import {
  backRelation,
  expression,
  integer,
  number,
  relation,
  relations,
  rollup,
  text,
} from "../../../src/core/records/fields.ts"

/* Collections that point at one another with every reaction to a deletion: in chains, diamonds and circles. */

export const open = { read: "true", create: "true", update: "true", delete: "true" }

/** A shop: shelves hold boxes hold things; labels hang on things; a box may have a twin, in circles. */
export const shelves = collection("shelves", {
  fields: {
    name: text({ max: 50 }),
    boxes: backRelation("boxes", "shelf"),
    boxCount: rollup("count", "boxes"),
    weight: rollup("avg", "boxes.weight"),
    favourite: relation("boxes", { onDelete: "setNull" }),
  },
  rules: open,
})
export const boxes = collection("boxes", {
  fields: {
    shelf: relation("shelves", { onDelete: "cascade" }),
    twin: relation("boxes", { onDelete: "cascade" }),
    name: text({ max: 50 }),
    weight: number(),
    labels: relations("labels", { onDelete: "unlink" }),
    things: backRelation("things", "box"),
    thingCount: rollup("count", "things"),
  },
  rules: { ...open, delete: "false" },
  search: ["name"],
})
export const things = collection("things", {
  fields: {
    box: relation("boxes", { required: true, onDelete: "cascade" }),
    spare: relation("boxes", { onDelete: "setNull" }),
    shelf: relation("shelves", { onDelete: "cascade" }),
    name: text({ max: 50 }),
    size: integer(),
  },
  rules: open,
  search: ["name"],
})
export const labels = collection("labels", {
  fields: {
    name: text({ max: 50 }),
    of: relation("things", { onDelete: "setNull" }),
    also: relation("things", { onDelete: "setNull" }),
    pinned: relations("shelves", { onDelete: "unlink" }),
    stuck: relations("boxes", { onDelete: "unlink" }),
  },
  rules: open,
})
/** Stands in the way while it points at a thing; nobody but its owner sees it. */
export const seals = collection("seals", {
  fields: {
    thing: relation("things"),
    shelf: relation("shelves", { onDelete: "cascade" }),
    owner: relation("members", { default: expression("@me.id") }),
  },
  rules: { ...open, read: "owner = @me.id" },
})
/** Stands in the way, for everybody to see. */
export const locks = collection("locks", {
  fields: { things: relations("things") },
  rules: open,
})

export const shopCollections = [shelves, boxes, things, labels, seals, locks] as const
