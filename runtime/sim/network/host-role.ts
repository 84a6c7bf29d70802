/** What a host of the virtual network is; each role's bytes are counted apart. */
export const HostRole = { publisher: 0, edge: 1, peer: 2 } as const;
export type HostRole = (typeof HostRole)[keyof typeof HostRole];
export const ROLES = 3;
