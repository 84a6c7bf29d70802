/**
 * The file that trained weights are committed as: TypeScript that names the command it came from.
 */
import type { Trained } from "./train.ts";

const LINE_COLUMNS = 100;

/** `command`: as it is to be typed again, on `commit`. */
export function weightsModule(trained: Trained, command: string, commit: string): string {
  return `/**
 * The scorer's trained weights; do not edit: \`${command}\` writes them, on commit ${commit}.
 * From ${trained.records} requests, ${trained.served} of them served in time; docs/SCORING.md has the figures.
 */

export const MLP_WEIGHTS: Float32Array = Float32Array.from([
${numbers(trained.mlp)}
]);

export const LINEAR_WEIGHTS: Float32Array = Float32Array.from([
${numbers(trained.linear)}
]);
`;
}

/** As many to a line as fit. */
function numbers(weights: Float32Array): string {
  const lines: string[] = [];
  let line = " ";
  for (const weight of weights) {
    const word = ` ${shortest(weight)},`;
    if (line.length + word.length > LINE_COLUMNS) {
      lines.push(line);
      line = " ";
    }
    line += word;
  }
  return [...lines, line].join("\n");
}

/** The shortest digits that give the same 32-bit number again. */
function shortest(weight: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = weight.toPrecision(digits);
    if (Math.fround(Number(text)) === weight) return String(Number(text));
  }
  return String(Number(weight.toPrecision(9)));
}
