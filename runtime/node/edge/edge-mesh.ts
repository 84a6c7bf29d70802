/** What the mesh needs of an edge: its streams, and where what comes from other edges goes. */
import type { Ms } from "../../base/time.ts";
import type { HotPath } from "../../core/hot-path/hot-path.ts";
import type { Intake, StreamIdentity } from "../intake.ts";
import { Mesh } from "../mesh/mesh.ts";
import type { MeshEvent, MeshOptions } from "../mesh/mesh-api.ts";
import type { EdgeIngests } from "./edge-ingests.ts";
import type { EdgeLines } from "./edge-lines.ts";
import type { OutletTap } from "./outlet.ts";

export interface EdgeMeshHost {
  readonly hot: HotPath;
  readonly agent: string;
  readonly node: Uint8Array;
  readonly ingests: EdgeIngests;
  readonly lines: EdgeLines;
  readonly emit: (event: MeshEvent) => void;
}

export function createMesh(host: EdgeMeshHost, options: MeshOptions): Mesh {
  const { hot, agent, node, ingests, lines } = host;
  const isCurrent = (intake: Intake): boolean =>
    ingests.get(intake.stream.name)?.outlet.source === intake;
  const leave = (now: Ms, intake: Intake, isOver: boolean): void => {
    if (isCurrent(intake)) ingests.get(intake.stream.name)?.leaveRemote(now, isOver);
  };
  const mesh = new Mesh(
    {
      hot,
      agent,
      node,
      event: host.emit,
      source: (name) => ingests.get(name)?.outlet.source,
      openRemote: (now: Ms, stream: StreamIdentity, from: string) =>
        ingests.open(stream.name).takeRemote(now, stream, `edge ${from}`),
      endRemote: (now, intake) => leave(now, intake, true),
      leaveRemote: (now, intake) => leave(now, intake, false),
      playoutMs: (name) => ingests.get(name)?.outlet.playoutMsMax() ?? 0,
      clockKnown: (now, intake) => {
        if (isCurrent(intake)) ingests.get(intake.stream.name)?.outlet.sendClocks(now);
      },
    },
    options,
    lines.contexts,
  );
  ingests.tapOf = (name) => tapOf(mesh, name);
  return mesh;
}

function tapOf(mesh: Mesh, name: string): OutletTap {
  return {
    begin: (now, source) => mesh.begin(now, name, source),
    whole: (first) => mesh.whole(name, first),
    end: (now) => mesh.end(now, name),
    fragment: (now, number, index, total, flags, bytes) =>
      mesh.fragment(now, name, number, index, total, flags, bytes),
  };
}
