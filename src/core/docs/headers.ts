import type { Header, Parameter, Reference } from "./document.ts"

/** Request headers that several operations know. */
export const requestHeaders: Readonly<Record<string, Parameter>> = {
  "If-Match": {
    name: "If-Match",
    in: "header",
    description:
      "Entity tags of the versions that you know, or `*`. When the record has moved on, the answer is 412 and nothing is written.",
    schema: { type: "string" },
    example: '"3"',
  },
  "If-None-Match": {
    name: "If-None-Match",
    in: "header",
    description: "Entity tags of the copies that you have: while one is good, the answer is 304.",
    schema: { type: "string" },
    example: '"3"',
  },
  "If-None-Match-Any": {
    name: "If-None-Match",
    in: "header",
    description: "`*` creates only: when there is a record with this id, the answer is 412.",
    schema: { type: "string", const: "*" },
  },
  "Idempotency-Key": {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Chosen by you, kept 24 hours for you and this route: the same request under the same key is answered with what the first one made. With another body it is a 422.",
    schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
  },
  Prefer: {
    name: "Prefer",
    in: "header",
    description:
      "`respond-async` (RFC 7240): it is done in the background, and you are told where to look how far it is. For signed-in people.",
    schema: { type: "string" },
    example: "respond-async",
  },
  "X-Bookmark": {
    name: "X-Bookmark",
    in: "header",
    description:
      "The last `X-Bookmark` that you were answered: then you read what you wrote, from whatever replica.",
    schema: { type: "string" },
  },
  "Tus-Resumable": {
    name: "Tus-Resumable",
    in: "header",
    required: true,
    description: "The version of tus that you speak.",
    schema: { type: "string", const: "1.0.0" },
  },
  "Upload-Length": {
    name: "Upload-Length",
    in: "header",
    required: true,
    description: "How many bytes there will be.",
    schema: { type: "integer", minimum: 0 },
  },
  "Upload-Offset": {
    name: "Upload-Offset",
    in: "header",
    required: true,
    description: "How many bytes come before the body.",
    schema: { type: "integer", minimum: 0 },
  },
  "Upload-Metadata": {
    name: "Upload-Metadata",
    in: "header",
    description:
      "Of the file: `filename`, `filetype`, and `for`, the field of records that it is for (`films.poster`), each with a space and its value in Base64, with commas between. Others are given back.",
    schema: { type: "string", maxLength: 4096 },
    example: "filename cG9zdGVyLnBuZw==,filetype aW1hZ2UvcG5n",
  },
  "Upload-Checksum": {
    name: "Upload-Checksum",
    in: "header",
    description:
      "Of the body, which then has 8 MiB at most: `sha1` or `sha256`, a space, and the digest in Base64.",
    schema: { type: "string" },
    example: "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
  },
  "X-Captcha-Response": {
    name: "X-Captcha-Response",
    in: "header",
    description:
      "What the Turnstile widget gave for this action, where the deployment asks for it: each is good once. Without it, `captcha_required` tells the action and the site key.",
    schema: { type: "string", maxLength: 2048 },
  },
}

/** Response headers. */
export const responseHeaders: Readonly<Record<string, Header>> = {
  ETag: {
    description: "The version of the record, for `If-Match` and `If-None-Match`. Opaque.",
    schema: { type: "string" },
  },
  Location: {
    description: "The path of what was made.",
    schema: { type: "string", format: "uri-reference" },
  },
  Link: {
    description: 'The next page, as `<path>; rel="next"`; absent on the last one.',
    schema: { type: "string" },
  },
  "Content-Disposition": {
    description: "The name of the file.",
    schema: { type: "string" },
  },
  "X-Request-Id": {
    description: "Identifies this request in the deployment's log.",
    schema: { type: "string", format: "uuid" },
  },
  "X-Bookmark": {
    description: "A position of the database: send it with your next request.",
    schema: { type: "string" },
  },
  "Retry-After": {
    description: "Seconds to wait before another attempt.",
    schema: { type: "integer", minimum: 0 },
  },
}

export const requestHeader = (name: string): Reference => ({
  $ref: `#/components/parameters/${name}`,
})

/** Pointers to response headers by name; what every answer carries is among them. */
export const answerHeaders = (...names: string[]): Record<string, Reference> =>
  Object.fromEntries(
    ["X-Request-Id", ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  )
