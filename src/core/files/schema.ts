import * as z from "zod"

const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })

export const file = z
  .object({
    id: z.uuid().meta({ description: "UUIDv7" }),
    name: z.string().meta({
      description: "As it was sent, without what could do harm in a path, a header or on a screen.",
      examples: ["poster.png"],
    }),
    type: z.string().meta({ description: "Told from the content.", examples: ["image/png"] }),
    sizeBytes: z.int(),
    sha256: z.string().meta({ description: "Of the content, in hex." }),
    width: z.int().nullable().meta({ description: "In pixels, of images that say so." }),
    height: z.int().nullable(),
    createdAt: instant,
    scan: z.enum(["pending", "clean", "infected", "unknown"]).nullable().meta({
      description:
        "What was found of malware; null where nobody looks, unknown where the scanner would not, as at what is too large for it.",
    }),
  })
  .meta({ description: "What is known of a file." })

export const filePage = z
  .object({ items: z.array(file), next: z.string().nullable() })
  .meta({ description: "A page of files." })

export const filesQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional(),
})

export const uploadQuery = z.strictObject({
  name: z
    .string()
    .optional()
    .meta({ description: "The file's name, where `Content-Disposition` does not tell it." }),
  for: z
    .string()
    .max(100)
    .optional()
    .meta({
      description:
        "The field of records that it is to go into, whose limits are judged at once. If no record holds it after a day, it is deleted.",
      examples: ["films.poster"],
    }),
})

export const newDirectUpload = z
  .strictObject({
    name: z.string().max(10_000),
    type: z
      .string()
      .max(100)
      .optional()
      .meta({ examples: ["video/mp4"] }),
    sizeBytes: z.int().min(1),
    for: uploadQuery.shape.for,
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .meta({
        description: "Of the content, in hex: another is refused.",
        examples: ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
      }),
  })
  .meta({ description: "A file that is to be put at R2." })

export const directUpload = z
  .object({
    id: z.uuid().meta({ description: "Of the file that it becomes." }),
    method: z.literal("PUT"),
    url: z.string().meta({ description: "At R2. Whoever has it may put the content there, once." }),
    headers: z.record(z.string(), z.string()).meta({ description: "To be sent along." }),
    expiresAt: instant.meta({ description: "By when it has to begin." }),
  })
  .meta({ description: "Where a file is to be put." })

export const fileForm = uploadQuery
  .extend({
    file: z.string().meta({
      contentMediaType: "application/octet-stream",
      description: "The content, with a file name: the last part, under whatever name.",
    }),
  })
  .meta({ description: "A form with one file. Fields before it say what the query may say." })

export const contentQuery = z.strictObject({
  download: z
    .enum(["true", "false"])
    .default("false")
    .meta({ description: "To be kept as a file, also where browsers could show it." }),
  preset: z
    .string()
    .optional()
    .meta({
      description:
        "Of an image: the size in which it is wanted, by the name that the deployment gave it.",
      examples: ["poster"],
    }),
  link: z.string().optional().meta({ description: "What a signed link says of itself." }),
})

export const newFileLink = z
  .strictObject({
    expiresInSeconds: z.int().min(1).max(604_800).default(3_600),
  })
  .meta({ description: "How long a link is good: an hour unless told, a week at most." })

export const fileLink = z
  .object({
    url: z.string().meta({ description: "On this deployment: `/files/…?link=…`." }),
    expiresAt: instant,
  })
  .meta({ description: "An address at which anybody reads the file, until it expires." })

export const resumableUpload = z
  .object({
    id: z.uuid().meta({ description: "That of the file which it becomes." }),
    offset: z.int().meta({ description: "How many bytes have arrived." }),
    sizeBytes: z.int().meta({ description: "How many there will be." }),
  })
  .meta({ description: "A file that is sent bit by bit." })
