import { Text } from "@mantine/core"
import { amount, moment, tick } from "../dates.ts"
import { useLanguage } from "../text.tsx"

export interface Series {
  readonly label: string
  readonly colour: string
  readonly values: readonly (number | null)[]
}

interface Props {
  readonly label: string
  readonly at: readonly string[]
  readonly series: readonly Series[]
  /** A value with its unit; a plain number unless given. */
  readonly format?: (value: number) => string
}

const width = 320
const height = 72

/**
 * Lines over equal steps of time, the first filled, under a rule at the highest value. The numbers behind it are in its
 * description, for those who do not see it.
 */
export function Chart({ at, series, label, format }: Props) {
  const { text, language } = useLanguage()
  const write = format ?? ((value: number) => amount(value, language))
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)))
  const x = (i: number) => (at.length < 2 ? 0 : (i / (at.length - 1)) * width)
  const y = (value: number) => height - (value / (highest || 1)) * (height - 2)
  const [first = "", last = ""] = [at[0], at.at(-1)]
  const span = Date.parse(last) - Date.parse(first)
  const peaks = series
    .map(({ label, values }) => `${label}: ${write(Math.max(0, ...values.map((v) => v ?? 0)))}`)
    .join(", ")
  return (
    <figure className="chart">
      <Text size="xs" c="dimmed" className="chart-highest numbers" aria-hidden="true">
        {highest > 0 ? write(highest) : ""}
      </Text>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${text.overview.chart(label, moment(first, language), moment(last, language))}. ↑ ${peaks}`}
      >
        <path d={`M0 1H${width}M0 ${height / 2}H${width}`} className="chart-rule" />
        <path d={`M0 ${height - 0.5}H${width}`} className="chart-base" />
        {highest > 0 &&
          series.map(({ label, colour, values }, i) => {
            const points = values.map(
              (value, at) => `${x(at).toFixed(1)},${y(value ?? 0).toFixed(1)}`,
            )
            return (
              <g key={label}>
                {i === 0 && (
                  <polygon
                    points={`0,${height} ${points.join(" ")} ${width},${height}`}
                    fill={colour}
                    opacity="0.15"
                  />
                )}
                <polyline
                  points={points.join(" ")}
                  fill="none"
                  stroke={colour}
                  strokeWidth="1.5"
                  vectorEffect="non-scaling-stroke"
                />
              </g>
            )
          })}
      </svg>
      <Text component="figcaption" size="xs" c="dimmed">
        <span className="chart-times">
          <span>{tick(first, span, language)}</span>
          <span>{tick(last, span, language)}</span>
        </span>
        {series.length > 1 && (
          <span className="chart-legend">
            {series.map(({ label, colour }) => (
              <span key={label}>
                <span className="chart-key" style={{ background: colour }} />
                {label}
              </span>
            ))}
          </span>
        )}
      </Text>
    </figure>
  )
}
