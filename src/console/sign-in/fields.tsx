import { Button, Stack } from "@mantine/core"
import type { FormEvent, ReactNode } from "react"
import { formValues } from "../form-values.ts"

/** A form of its own height, and the button that sends what was typed, by the names of its fields. */
export function Fields(props: {
  busy: boolean
  submit: string
  onSubmit: (data: Record<string, string>) => void
  below?: ReactNode
  children: ReactNode
}) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    props.onSubmit(formValues(event.currentTarget))
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
