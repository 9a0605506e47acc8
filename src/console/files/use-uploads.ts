import { useQueryClient } from "@tanstack/react-query"
import { useCallback, useEffect, useRef, useState } from "react"
import { backend } from "../backend.ts"
import { useReader } from "../data/viewer.tsx"
import { type FileFacts, factsQuery, type Limits, refusalOf } from "./file.ts"

/** A file on its way, or one that did not come. */
export interface Upload {
  readonly key: number
  readonly name: string
  /** Sent so far, of 1. */
  readonly share: number
  /** Why it did not come; null while it is on its way. */
  readonly error: unknown
  readonly cancel: () => void
}

let keys = 0

/** Files that are sent from here. They stop when what shows them is gone. */
export function useUploads(
  limits: Limits & { holder?: string },
  onDone: (file: FileFacts) => void,
) {
  const [uploads, setUploads] = useState<readonly Upload[]>([])
  const queries = useQueryClient()
  const reader = useReader()
  const done = useRef(onDone)
  done.current = onDone
  const controllers = useRef(new Set<AbortController>())
  useEffect(() => {
    const running = controllers.current
    return () => {
      for (const one of running) one.abort()
    }
  }, [])
  const change = useCallback(
    (key: number, now: Partial<Upload>) =>
      setUploads((all) => all.map((one) => (one.key === key ? { ...one, ...now } : one))),
    [],
  )
  async function send(file: File): Promise<void> {
    const controller = new AbortController()
    const key = keys++
    const end = () => setUploads((all) => all.filter((one) => one.key !== key))
    const cancel = () => {
      controller.abort()
      end()
    }
    const refused = refusalOf(file, limits)
    const upload = { key, name: file.name, share: 0, error: refused, cancel }
    setUploads((all) => [...all, upload])
    if (refused) return
    controllers.current.add(controller)
    try {
      const sent = await backend.files.upload(file, {
        onProgress: (bytes, total) => change(key, { share: total > 0 ? bytes / total : 0 }),
        signal: controller.signal,
        ...(limits.holder !== undefined && { for: limits.holder }),
      })
      queries.setQueryData(factsQuery(sent.id, reader).queryKey, sent)
      end()
      done.current(sent)
    } catch (error) {
      if (!controller.signal.aborted) change(key, { error })
    } finally {
      controllers.current.delete(controller)
    }
  }
  return { uploads, start: (files: readonly File[]) => void files.map(send) }
}
