import * as z from "zod"
import {
  badAnySession,
  badBody,
  badSession,
  type DocumentedModule,
  jsonBody,
  type Operation,
} from "../../platform/operation.ts"
import { mediaTypes } from "./media-type.ts"
import * as shapes from "./schema.ts"
import { tusOperations } from "./tus-openapi.ts"

const {
  contentQuery,
  directUpload,
  file,
  fileForm,
  fileLink,
  filePage,
  filesQuery,
  newDirectUpload,
  newFileLink,
  uploadQuery,
} = shapes

const path = "/files/{id}"
const pathParameters = { id: "Id of the file." }
const content = { texts: mediaTypes }
const headers = {
  ETag: "Of the content, for `If-None-Match` and `If-Range`.",
  "Content-Disposition": "The file's name, and whether browsers may show it.",
}

const operations: readonly Operation[] = [
  {
    method: "get",
    path: "/files",
    operationId: "listFiles",
    summary: "Your files, the newest first",
    auth: "session",
    query: filesQuery,
    responses: { 200: { description: "A page.", schema: filePage, headers: { Link: "`next`" } } },
    problems: [...badSession, "not_found", "invalid_input", "invalid_cursor"],
  },
  {
    method: "post",
    path: "/files",
    operationId: "uploadFile",
    summary: "Send a file",
    description:
      "The body is the content, as it is, with `Content-Length`; `Content-Disposition` or `name` tell the name. Or it is a form, as browsers send it, with one file at its end. What type it is, its content tells: what is declared counts only among types that browsers do not run. It is yours alone, until a record holds it: then whoever may read the field reads it. With `for`, what that field takes is judged at once, of what is declared before a byte is read. What you and your organisation have together is limited.",
    auth: "session",
    query: uploadQuery,
    body: {
      schema: z.string(),
      required: false,
      mediaTypes: ["application/octet-stream"],
      form: fileForm,
    },
    responses: {
      201: { description: "It is kept.", schema: file, headers: { Location: "The content." } },
    },
    problems: [
      ...badSession,
      "forbidden",
      "conflict",
      "invalid_input",
      "length_required",
      "payload_too_large",
      "unsupported_media_type",
      "quota_exceeded",
    ],
  },
  {
    method: "post",
    path: "/files/direct-uploads",
    operationId: "createDirectUpload",
    summary: "An address at R2 to put a file at",
    description:
      "Where the deployment has keys for that, content need not pass through it, and may have 5 GB. Room is reserved. Put the content at `url` with `headers`, beginning before `expiresAt`, then say so to `POST /files/{id}/completion` within a day.",
    auth: "session",
    body: jsonBody(newDirectUpload),
    responses: { 201: { description: "Where to put it.", schema: directUpload } },
    problems: [...badSession, ...badBody, "forbidden", "quota_exceeded"],
  },
  {
    method: "post",
    path: `${path}/completion`,
    operationId: "completeDirectUpload",
    summary: "Make a file of what was put at R2",
    description:
      "It is read once: its type, size in pixels and SHA-256 are told from the content. May be said again: a file that is there already, however it came, is answered as it is.",
    auth: "session",
    pathParameters,
    responses: {
      201: { description: "It is kept.", schema: file, headers: { Location: "The content." } },
    },
    problems: [
      ...badSession,
      "forbidden",
      "not_found",
      "conflict",
      "invalid_input",
      "unsupported_media_type",
    ],
  },
  {
    method: "get",
    path,
    operationId: "readFile",
    summary: "The content of a file",
    description:
      "Yours, or held by a record that you may read, in a field that you may read; what every stranger may read needs no session, and caches keep it for a minute. `Range` (one), `If-Range` and `If-None-Match` are heeded, and HEAD answers without the content. Pages and drawings (HTML, SVG) are never shown, and have no rights of this origin. With `preset`, a PNG, JPEG, GIF or WebP of 20 MB and 100 million pixels at most is answered in a size that the deployment has named: turned upright, without metadata, and never in parts.",
    auth: "either",
    pathParameters,
    query: contentQuery,
    responses: {
      200: { description: "All of it.", ...content, headers },
      206: {
        description: "The part that was asked for.",
        ...content,
        headers: { ...headers, "Content-Range": "Which part." },
      },
      304: { description: "Your copy is still good.", headers },
    },
    problems: [
      ...badAnySession,
      "code_invalid",
      "invalid_input",
      "not_found",
      "range_not_satisfiable",
      "file_infected",
      "file_unscanned",
      "unsupported_image",
      "rate_limited",
      "integration_failed",
    ],
  },
  {
    method: "delete",
    path,
    operationId: "deleteFile",
    summary: "Delete a file",
    description:
      "For good, and at once. Links to it lead nowhere from then on. What a record holds is not deleted.",
    auth: "session",
    pathParameters,
    responses: { 204: { description: "It is gone." } },
    problems: [...badSession, "forbidden", "not_found", "conflict"],
  },
  {
    method: "post",
    path: `${path}/links`,
    operationId: "createFileLink",
    summary: "A link by which anybody reads a file for a while",
    description:
      "Nothing of it is stored, so it cannot be taken back, but with the file. It is good for reading this file, and nothing else.",
    auth: "session",
    pathParameters,
    body: jsonBody(newFileLink),
    responses: { 201: { description: "The link.", schema: fileLink } },
    problems: [...badSession, ...badBody, "forbidden", "not_found"],
  },
]

export const filesDocs: DocumentedModule = {
  tag: "files",
  description:
    "Files: sent at once or bit by bit, held by records or by nobody but you, read in parts, shared by links that expire.",
  operations: [...operations, ...tusOperations],
  shapes,
}
