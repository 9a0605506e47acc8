import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"

/*
 * What is known of files; their content is in R2 under `files/<id>`. STRICT and WITHOUT ROWID in the migration.
 */

export const files = sqliteTable(
  "files",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    /** Id of the person who sent it. */
    owner: text().notNull(),
    /** That they acted in; null outside of all. */
    organisation: text(),
    /** The row comes before the content and leaves after it, so that no content is without a row. */
    state: text({ enum: ["uploading", "stored", "deleted"] }).notNull(),
    /** Cleaned (file-name.ts). */
    name: text().notNull(),
    /** Told from the content (media-type.ts); while it is under way, as it was declared. */
    type: text().notNull(),
    /** In bytes; while it is under way, so much is reserved of the quotas. As `sizeBytes`, which is generated, `expand` tells it. */
    size: integer().notNull(),
    /** Hex, of the content; while it is under way, what it has to be, or null. */
    sha256: text(),
    /** In pixels, of images that say so. */
    width: integer(),
    height: integer(),
    createdAt: text().notNull(),
    /** The field of records that it was sent for, as `films.poster`, until a record holds it. */
    destination: text(),
    /**
     * Since when no record holds it, of what one has held, and of what has come for one; null while one does, and of what
     * nobody ever gave to any.
     */
    releasedAt: text(),
    /** Of an upload that may break off and go on: when what has not arrived by then is given up. Null for all others. */
    expiresAt: text(),
    /** Of such an upload: `Upload-Metadata` as it was sent, at most 4,096 characters. */
    metadata: text(),
    /** Of what does not pass through the Worker: until when somebody may be putting it there. So long the row stays, and counts. */
    directUntil: text(),
    /** What was found of malware; null where nobody looks, `unknown` where the scanner would not. */
    scan: text({ enum: ["pending", "clean", "infected", "unknown"] }),
  },
  (table) => [
    /** Partial: where `state` is `stored`. */
    index("files_owner").on(table.owner, table.id),
    /** Partial: likewise, where there is one. */
    index("files_organisation").on(table.organisation, table.id),
    /** Partial: where it is not. */
    index("files_state").on(table.state, table.id),
    /** Partial: where it is known. */
    index("files_releasedAt").on(table.releasedAt),
    /** Partial: where it is `pending`. */
    index("files_pending").on(table.scan),
  ],
)

/** What was made of images, or begun to be: from before it is in R2, under `variants/<file>/<name>`, until after it. */
export const fileVariants = sqliteTable(
  "file_variants",
  {
    /** Id. */
    file: text().notNull(),
    /** Its definition (presets.ts): `320x320-cover.webp`. */
    name: text().notNull(),
    /** To make it, without ten minutes between two. */
    attempts: integer().notNull(),
    /** The last of them. */
    begunAt: text().notNull(),
    /** When the image turned out not to be one. */
    failedAt: text(),
    /** 1 once the file is deleted, by triggers on `files`. */
    fileGone: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.file, table.name] }),
    /** Partial: where `fileGone` is 1. */
    index("file_variants_gone").on(table.begunAt),
  ],
)

/** Kept by triggers on `file_variants`; former days go with the sweep. */
export const imagesMade = sqliteTable(
  "images_made",
  {
    /** Of the files. */
    owner: text().notNull(),
    /** In UTC: `2026-11-29`. */
    day: text().notNull(),
    /** Begun, whatever came of it. */
    made: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.day] })],
)

/** Kept by triggers on `files`. */
export const fileUsage = sqliteTable("file_usage", {
  /** Id of a person or of an organisation. */
  holder: text().primaryKey(),
  bytes: integer().notNull(),
  files: integer().notNull(),
})
