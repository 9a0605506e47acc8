import { type QueryKey, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { useTell } from "./problem.tsx"
import { useProof } from "./sign-in/proof.tsx"

/**
 * What a button does: it is busy meanwhile, asks for a proof where the server wants one and goes on, tells how it ended, and
 * has what it changed read again. Answers whether it was done.
 */
export function useAction() {
  const tell = useTell()
  const prove = useProof()
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  async function run(
    work: () => Promise<unknown>,
    options: { done?: string; changed?: readonly QueryKey[] } = {},
  ): Promise<boolean> {
    setBusy(true)
    try {
      await prove(work)
      if (options.done) tell.done(options.done)
      await Promise.all(
        (options.changed ?? []).map((queryKey) => queries.invalidateQueries({ queryKey })),
      )
      return true
    } catch (error) {
      tell.failed(error)
      return false
    } finally {
      setBusy(false)
    }
  }
  return { busy, run }
}
