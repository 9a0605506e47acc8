import type { App } from "../../platform/app.ts"
import type { Destination } from "./destinations.ts"
import type { Checksum } from "./tus.ts"

/** What an object has to know of the upload that it takes in: whoever calls it has read that in the row. */
export interface Incoming {
  readonly id: string
  /** Name of the database that has its row. */
  readonly database: string
  readonly sizeBytes: number
  /** As it was declared. */
  readonly type: string
  readonly destination: Destination | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** What is said of a body. */
export interface Chunk {
  /** The offset at which it begins. */
  readonly from: number
  /** Null where that is not said. */
  readonly lengthBytes: number | null
  readonly checksum: Checksum | null
}

/** What became of a body. A tagged answer, because calls between objects lose the class of what is thrown. */
export type Appended =
  | { readonly outcome: "kept"; readonly offset: number }
  /** It does not begin where the upload ends. */
  | { readonly outcome: "elsewhere"; readonly offset: number }
  /** Somebody else has asked where to go on. */
  | { readonly outcome: "overtaken" }
  | { readonly outcome: "broken_off" }
  | { readonly outcome: "too_long" }
  | { readonly outcome: "wrong_checksum" }
  | Lost

/** Why what has arrived whole became no file. */
export type Lost =
  /** The upload was given up meanwhile. */
  | { readonly outcome: "gone" }
  /** Its destination takes no such files. */
  | { readonly outcome: "unfit"; readonly detail: string }

/** One object an upload. */
export interface Receiver {
  /**
   * From where on it is to be sent. Whatever is being sent now ends here, because its sender may be long gone. When all has
   * arrived, it is stored first. Null when it was given up meanwhile.
   */
  offset(upload: Incoming): Promise<number | null>
  /** Takes in a body. When nothing is missing any more, the file is stored. */
  append(upload: Incoming, chunk: Chunk, body: ReadableStream<Uint8Array> | null): Promise<Appended>
  /** Deletes all that has arrived of what has been given up. */
  discard(id: string): Promise<void>
}

export const receiverOf = (app: App, upload: string): Receiver =>
  app.object<Receiver>("UPLOAD_RECEIVER", upload)
