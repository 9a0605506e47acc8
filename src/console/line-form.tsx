import { Button, Group } from "@mantine/core"
import type { QueryKey } from "@tanstack/react-query"
import type { FormEvent, ReactNode } from "react"
import { formValues } from "./form-values.ts"
import { useAction } from "./use-action.ts"

interface Props {
  readonly submit: string
  /** Gets what was given, by the names of the inputs. */
  readonly work: (values: Readonly<Record<string, string>>) => Promise<unknown>
  readonly done?: string
  readonly changed?: readonly QueryKey[]
  readonly primary?: boolean
  readonly children: ReactNode
}

/** A form of a line: inputs by their names, and the button that sends them. It is empty again when that was done. */
export function LineForm({ submit, work, primary, children, ...told }: Props) {
  const { busy, run } = useAction()
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const values = formValues(form)
    if (await run(() => work(values), told)) form.reset()
  }
  return (
    <form onSubmit={(event) => void send(event)}>
      <Group align="flex-end" gap="sm">
        {children}
        <Button type="submit" loading={busy} variant={primary ? "filled" : "default"}>
          {submit}
        </Button>
      </Group>
    </form>
  )
}
