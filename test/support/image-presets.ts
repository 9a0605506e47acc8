import type { ImagePreset } from "../../src/core/files/presets.ts"

/** Presets of the deployment under test. */
export const fixturePresets: Readonly<Record<string, ImagePreset>> = {
  thumb: { width: 32, height: 32, fit: "cover" },
  page: { width: 64, height: 48 },
  still: { width: 16, height: 16, format: "jpeg" },
}
