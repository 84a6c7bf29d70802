/** The tables of docs/CONFIG.md, made from the schema. `bun edge/config/reference.ts` prints them for pasting. */
import type { z } from "zod";
import { type KeyNote, sections } from "./schema.ts";

/** One Markdown row per key: name, type, unit, default, accepted values, meaning. */
export function referenceRows(section: keyof typeof sections): string[] {
  const shape = sections[section].shape as Record<string, z.ZodType>;
  return Object.entries(shape).map(([name, leaf]) => {
    const note = leaf.meta() as unknown as KeyNote;
    const value = leaf.safeParse(undefined).data;
    const preset = value === undefined ? "–" : `\`${JSON.stringify(value)}\``;
    return `| \`${name}\` | ${note.type} | ${note.unit} | ${preset} | ${note.range} | ${note.when} |`;
  });
}

export const REFERENCE_HEAD =
  "| key | type | unit | default | accepted | what, and when to change it |\n|---|---|---|---|---|---|";

if (import.meta.main) {
  for (const section of Object.keys(sections) as (keyof typeof sections)[]) {
    console.log(`\n## ${section}\n\n${REFERENCE_HEAD}\n${referenceRows(section).join("\n")}`);
  }
}
