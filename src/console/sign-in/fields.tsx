import { Button, Stack } from "@mantine/core"
import type { FormEvent, ReactNode } from "react"

/** A form: what was typed, by the names of its fields, without spaces around it. */
export function Fields(props: {
  busy: boolean
  submit: string
  onSubmit: (data: Record<string, string>) => void
  below?: ReactNode
  children: ReactNode
}) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const entries = [...new FormData(event.currentTarget)].map(([name, value]) => [
      name,
      String(value).trim(),
    ])
    props.onSubmit(Object.fromEntries(entries))
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        {props.children}
        <Button type="submit" loading={props.busy}>
          {props.submit}
        </Button>
        {props.below}
      </Stack>
    </form>
  )
}
