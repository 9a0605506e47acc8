import { Button } from "@mantine/core"
import type { QueryKey } from "@tanstack/react-query"
import { useAction } from "./use-action.ts"

interface Props {
  readonly label: string
  readonly work: () => Promise<unknown>
  /** What is told when it was done. */
  readonly done?: string
  /** What it changes, to be read again. */
  readonly changed?: readonly QueryKey[]
  /** What cannot be taken back is red. */
  readonly grave?: boolean
}

/** A small button at the end of a row, that does something about it. */
export function ActionButton({ label, work, grave, ...told }: Props) {
  const { busy, run } = useAction()
  return (
    <Button
      size="compact-xs"
      loading={busy}
      onClick={() => void run(work, told)}
      {...(grave ? { variant: "light", color: "red" } : { variant: "default" })}
    >
      {label}
    </Button>
  )
}
