import { NativeSelect, SegmentedControl } from "@mantine/core"
import { useMediaQuery } from "@mantine/hooks"
import { useText } from "./text.tsx"

/** Which of the states of something are listed; the empty value is all of them. On a narrow screen they are a list to choose from. */
export function StateFilter<State extends string>(props: {
  value: string
  onChange: (value: string) => void
  states: readonly State[]
  words: Readonly<Partial<Record<State, string>>>
}) {
  const text = useText()
  const narrow = useMediaQuery("(width < 48em)", undefined, { getInitialValueInEffect: false })
  const data = [
    { value: "", label: text.jobs.all },
    ...props.states.map((value) => ({
      value: value as string,
      label: props.words[value] ?? value,
    })),
  ]
  const shared = { "aria-label": text.jobs.state, value: props.value, data }
  return narrow ? (
    <NativeSelect {...shared} onChange={(event) => props.onChange(event.currentTarget.value)} />
  ) : (
    <SegmentedControl {...shared} onChange={props.onChange} w="fit-content" />
  )
}
