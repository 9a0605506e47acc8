import { newJob } from "../../src/core/jobs/enqueue.ts"
import { type AfterCommit, collection, sqlView } from "../../src/core/records/collection.ts"
import {
  backRelation,
  boolean,
  choice,
  date,
  datetime,
  email,
  expression,
  file,
  files,
  integer,
  json,
  markdown,
  number,
  point,
  relation,
  relations,
  rollup,
  text,
  url,
} from "../../src/core/records/fields.ts"
import { savedViews } from "../../src/core/records/saved-views.ts"
import { Problem } from "../../src/platform/problem.ts"
import { chore } from "./jobs.ts"

/*
 * Collections of the tests' own, with every field type and every kind of rule, so that no test leans on src/app.
 */

/** Public when published, otherwise its author's; with fields that only some may read or write. */
export const articles = collection("articles", {
  fields: {
    title: text({ required: true, max: 200 }),
    body: markdown(),
    status: choice(["draft", "published"], { required: true, default: "draft" }),
    author: relation("members", { required: true, default: expression("@me.id") }),
    slug: text({ unique: true, pattern: "[a-z0-9-]+" }),
    words: integer({ min: 0 }),
    score: number(),
    featured: boolean({ default: false, writable: 'has(@me.roles, "editor")' }),
    day: date(),
    moment: datetime(),
    contact: email(),
    link: url(),
    meta: json(),
    /** Nobody but editors knows that it exists. */
    secret: text({ readable: 'has(@me.roles, "editor")' }),
    /** The author's own, row by row. */
    note: text({ readable: "author = @me.id" }),
    project: relation("projects"),
    tags: relations("tags"),
    /** Known to the author alone, row by row: as a list, and from the other side of a relation. */
    readers: relations("members", { readable: "author = @me.id" }),
    quotedBy: backRelation("comments", "quotes"),
    comments: backRelation("comments", "article"),
    commentCount: rollup("count", "comments"),
    starSum: rollup("sum", "comments.stars"),
    starAverage: rollup("avg", "comments.stars"),
    weightSum: rollup("sum", "comments.weight"),
  },
  rules: {
    read: 'status = "published" || author = @me.id',
    create: "author = @me.id",
    update: 'author = @me.id || has(@me.roles, "editor")',
    delete: "author = @me.id",
  },
  search: ["title", "body", "secret", "note"],
  indexes: ["words", "-words", "day", ["status", "-words"], "score"],
})

export const tags = collection("tags", {
  fields: { name: text({ required: true, unique: true }), hidden: boolean({ default: false }) },
  rules: {
    read: 'hidden = false || has(@me.roles, "editor")',
    create: "@me.id != null",
    update: 'has(@me.roles, "editor")',
    delete: 'has(@me.roles, "editor")',
  },
  indexes: ["name"],
})

/** Its members' own: to others a project does not exist. */
export const projects = collection("projects", {
  fields: {
    name: text({ required: true }),
    owner: relation("members", { required: true, default: expression("@me.id") }),
    people: relations("members"),
    articles: backRelation("articles", "project"),
  },
  rules: {
    read: "owner = @me.id || has(people, @me.id)",
    create: "owner = @me.id",
    update: { before: "owner = @me.id", after: "!@changed(owner)" },
    delete: "owner = @me.id",
  },
})

export const comments = collection("comments", {
  fields: {
    article: relation("articles", { required: true }),
    author: relation("members", { required: true, default: expression("@me.id") }),
    text: text({ required: true }),
    stars: integer({ min: 1, max: 5 }),
    weight: number(),
    approved: boolean({ default: false }),
    quotes: relation("articles", { readable: "author = @me.id" }),
  },
  rules: {
    read: "approved = true || author = @me.id",
    create: "author = @me.id",
    update: "author = @me.id",
    delete: "author = @me.id",
  },
  indexes: [["article", "-createdAt"]],
  unique: [["article", "author"]],
})

/** No rules at all: nobody but administrators. */
export const vaults = collection("vaults", { fields: { name: text() } })

/** Even administrators keep its rules. */
export const diaries = collection("diaries", {
  fields: {
    owner: relation("members", { required: true, default: expression("@me.id") }),
    entry: text({ required: true }),
  },
  rules: {
    read: "owner = @me.id",
    create: "owner = @me.id",
    update: "owner = @me.id",
    delete: "owner = @me.id",
  },
  administrators: "obey",
})

/** Whoever is signed in does what they like. */
const signedInAlone = {
  read: "@me.id != null",
  create: "@me.id != null",
  update: "@me.id != null",
  delete: "@me.id != null",
}

/** Each record belongs to one organisation. */
export const tickets = collection("tickets", {
  fields: {
    subject: text({ required: true }),
    number: integer({ unique: true }),
    parent: relation("tickets"),
    watchers: relations("members"),
    children: backRelation("tickets", "parent"),
    childCount: rollup("count", "children"),
  },
  scope: "organisation",
  rules: signedInAlone,
  search: ["subject"],
  summaries: [{ span: "day(createdAt)", sum: ["number"] }],
  indexes: ["subject"],
})

/** With files: those of open ones are everybody's, those of others their maker's; a contract is the maker's own in any case. */
export const exhibits = collection("exhibits", {
  fields: {
    title: text({ required: true }),
    maker: relation("members", { required: true, default: expression("@me.id") }),
    open: boolean({ required: true, default: false }),
    picture: file({ types: ["image/*"], maxBytes: 200 }),
    leaflets: files({ types: ["text/plain", "application/pdf"], maxCount: 3 }),
    contract: file({ readable: "maker = @me.id" }),
  },
  rules: {
    read: "open = true || maker = @me.id",
    create: "maker = @me.id",
    update: 'maker = @me.id || has(@me.roles, "editor")',
    delete: "maker = @me.id",
  },
})

/** Whatever hangs on a wall is everybody's to see; a board belongs to an organisation. */
export const posters = collection("posters", {
  fields: {
    sheet: file(),
    exhibit: relation("exhibits", { onDelete: "cascade" }),
  },
  rules: { ...signedInAlone, read: "true" },
})

export const boards = collection("boards", {
  fields: { sheets: files() },
  scope: "organisation",
  rules: signedInAlone,
})

/** Anyone may write, nobody may read: a suggestion box. */
export const suggestions = collection("suggestions", {
  fields: { text: text({ required: true, max: 1_000 }) },
  rules: { create: "true" },
})

/** With business logic: a total that is derived, a limit that is enforced, a line that joins the batch. */
export const orders = collection("orders", {
  fields: {
    buyer: relation("members", { required: true, default: expression("@me.id") }),
    quantity: integer({ required: true, min: 1 }),
    total: integer(),
    state: choice(["open", "paid"], { required: true, default: "open" }),
  },
  rules: {
    read: "buyer = @me.id",
    create: "buyer = @me.id",
    update: "buyer = @me.id",
    delete: "buyer = @me.id",
  },
  summaries: [{ span: "month(createdAt)", group: "state", sum: ["quantity", "total"] }],
  beforeWrite: {
    needs: "record",
    run({ action, input, record, id, app }) {
      if (action === "delete") {
        if (record?.state === "paid") throw new Problem("conflict", "A paid order stays.")
        return undefined
      }
      const quantity = (input?.quantity ?? record?.quantity) as number
      if (quantity > 100) throw new Problem("invalid_input", "At most 100 at a time.")
      return {
        set: { total: quantity * 7 },
        also: [
          {
            action: "create",
            collection: "orderEvents",
            input: { order: id, quantity, at: new Date(app.now()).toISOString() },
          },
        ],
      }
    },
  },
})

export const orderEvents = collection("orderEvents", {
  fields: { order: text({ required: true }), quantity: integer(), at: datetime() },
  rules: { read: "@me.id != null" },
  indexes: ["order"],
})

/** Where `afterCommit` of `parcels` goes; tests put a listener of their own here. */
export const deliveries: { listen: AfterCommit } = { listen: () => {} }

/** Followed by something that happens after the commit. */
export const parcels = collection("parcels", {
  fields: { label: text({ required: true }) },
  rules: { ...signedInAlone, read: "true" },
  afterCommit: (app, change, reach) => deliveries.listen(app, change, reach),
})

/** Each change of one is a chore. */
export const wishes = collection("wishes", {
  fields: { label: text({ required: true, unique: true }), granted: boolean({ default: false }) },
  rules: {
    read: "true",
    create: 'label != "forbidden"',
    update: "@me.id != null",
    delete: "@me.id != null",
  },
  beforeWrite: {
    run: ({ action, id, input }) => ({
      jobs: [newJob(chore, { label: `${action} ${input?.label ?? id}` })],
    }),
  },
})

/** Somewhere: open ones are everybody's to see, dens their owner's alone. */
export const places = collection("places", {
  fields: {
    name: text({ required: true }),
    owner: relation("members", { required: true, default: expression("@me.id") }),
    open: boolean({ required: true, default: true }),
    location: point(),
    den: point({ readable: "owner = @me.id" }),
    near: relation("places"),
  },
  rules: {
    read: "open = true || owner = @me.id",
    create: "owner = @me.id",
    update: "owner = @me.id",
    delete: "owner = @me.id",
  },
})

/** Who has published what: open to all, although authors are not. */
export const writers = sqlView("writers", {
  sql: `SELECT author AS id, author, count(*) AS articles, sum(words) AS words, count(*) > 1 AS busy
    FROM articles WHERE status = 'published' GROUP BY author`,
  fields: {
    author: relation("members"),
    articles: integer({ required: true }),
    words: integer(),
    busy: boolean({ required: true }),
  },
  rules: { read: "true" },
})

/** Groups and joins what belongs to organisations, without a word about them. */
export const ticketCounts = sqlView("ticketCounts", {
  sql: `SELECT t.subject AS id, t.subject, count(*) AS tickets,
      (SELECT count(*) FROM tickets_watchers w JOIN Tickets o ON o.id = w.source WHERE o.subject = t.subject) AS watchers
    FROM "tickets" t GROUP BY t.subject`,
  fields: {
    subject: text({ required: true }),
    tickets: integer({ required: true }),
    watchers: integer({ required: true }),
  },
  rules: { read: "@me.id != null" },
})

/** Of no table at all. */
export const letters = sqlView("letters", {
  sql: "WITH l(id, position) AS (VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4), (NULL, 5)) SELECT * FROM l",
  fields: { position: integer({ required: true }) },
  rules: { read: "@me.id != null" },
})

/** Questions that people keep. */
export const searches = savedViews("searches")

export const fixtures = [
  articles,
  tags,
  projects,
  comments,
  vaults,
  diaries,
  tickets,
  suggestions,
  orders,
  orderEvents,
  parcels,
  wishes,
  places,
  writers,
  ticketCounts,
  letters,
  searches,
  exhibits,
  posters,
  boards,
] as const
