import { deviceName } from "./device.ts"

/** By what a browser is known; all that it says of itself on asking. */
export const Device = ({ userAgent }: { userAgent: string | null }) => (
  <span title={userAgent ?? undefined}>{deviceName(userAgent)}</span>
)
