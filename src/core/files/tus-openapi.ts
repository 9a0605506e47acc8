import * as z from "zod"
import { badSession, type Operation } from "../../platform/operation.ts"
import { resumableUpload } from "./schema.ts"
import { chunkType } from "./tus.ts"

const path = "/files/uploads/{id}"
const pathParameters = { id: "Id of the upload, and of the file which it becomes." }
const expires = { "Upload-Expires": "When what has not arrived by then is given up." }
const offset = { "Upload-Offset": "How many bytes have arrived." }
const body = { schema: z.string(), required: false, mediaTypes: [chunkType] }
const refused = [...badSession, "forbidden", "tus_version_unsupported"] as const
const refusedContent = ["invalid_input", "payload_too_large", "checksum_mismatch"] as const

/** As tus-js-client, Uppy and others speak it. `OPTIONS`, which anybody may ask, tells what of it is spoken. */
export const tusOperations: readonly Operation[] = [
  {
    method: "post",
    path: "/files/uploads",
    operationId: "createUpload",
    summary: "Begin to send a file bit by bit (tus)",
    description:
      "tus 1.0.0, with creation, creation-with-upload, termination, expiration and checksum: for files that are larger than one request may be, and for lines that break. Room is reserved for all of it, for a day. `OPTIONS` tells how large it may be.",
    auth: "session",
    headers: ["Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Checksum"],
    body,
    responses: {
      201: {
        description: "It is waited for.",
        headers: { Location: "Where it is sent to.", ...expires, ...offset },
      },
    },
    problems: [
      ...refused,
      ...refusedContent,
      "conflict",
      "not_found",
      "offset_mismatch",
      "quota_exceeded",
      "unsupported_media_type",
    ],
  },
  {
    method: "get",
    path,
    operationId: "getUpload",
    summary: "How far an upload is",
    description:
      "HEAD answers the same without a body. Whoever asks is about to go on: what is on its way in another request ends here, and what came of it is counted.",
    auth: "session",
    pathParameters,
    headers: ["Tus-Resumable"],
    responses: {
      200: {
        description: "As far as this; when it is all, there is the file.",
        schema: resumableUpload,
        headers: {
          ...offset,
          "Upload-Length": "How many bytes there will be.",
          "Upload-Metadata": "As it was sent.",
          ...expires,
        },
      },
    },
    problems: [...refused, "invalid_input", "not_found"],
  },
  {
    method: "patch",
    path,
    operationId: "continueUpload",
    summary: "Send what follows",
    description:
      "The body begins where the upload ends. When it breaks off, what came of it is kept, unless it has a checksum. The answer to the last comes when the file is stored: `/files/{id}`.",
    auth: "session",
    pathParameters,
    headers: ["Tus-Resumable", "Upload-Offset", "Upload-Checksum"],
    body,
    responses: { 204: { description: "It has arrived.", headers: { ...offset, ...expires } } },
    problems: [
      ...refused,
      ...refusedContent,
      "conflict",
      "not_found",
      "offset_mismatch",
      "unsupported_media_type",
    ],
  },
  {
    method: "delete",
    path,
    operationId: "endUpload",
    summary: "Give an upload up",
    description: "With all that has arrived; when it has become a file, that is deleted.",
    auth: "session",
    pathParameters,
    headers: ["Tus-Resumable"],
    responses: { 204: { description: "It is gone." } },
    problems: [...refused, "conflict", "invalid_input", "not_found"],
  },
]
