/** Orders in which nothing is always first: forwards and backwards in turn, beginning one further each pair of runs. */
export function alternating<T>(subjects: readonly T[], runs: number): T[] {
  const order: T[] = [];
  for (let i = 0; i < runs; i++) {
    const from = (i >> 1) % Math.max(1, subjects.length);
    const turned = [...subjects.slice(from), ...subjects.slice(0, from)];
    order.push(...(i % 2 === 0 ? turned : turned.reverse()));
  }
  return order;
}
