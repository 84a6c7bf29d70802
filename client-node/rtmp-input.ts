/**
 * An encoder pushing RTMP at `shoal publish`: one at a time, under the agreed app and name. When it
 * comes back after a break it begins a new run of the same stream; the session to the edge has
 * stayed.
 */
import {
  createRtmpListener,
  type PublishAnswer,
  type RtmpPublisher,
} from "../runtime/media/rtmp-server.ts";
import { formatHostPort, type PublishInput } from "./arguments.ts";
import { StartError } from "./node-birth.ts";
import type { InputState } from "./publish.ts";
import type { PublishedStream } from "./published-stream.ts";
import type { Terminal } from "./terminal.ts";

type RtmpInput = Extract<PublishInput, { kind: "rtmp" }>;

/** @throws StartError when the address can't be had. */
export async function listenForEncoder(
  input: RtmpInput,
  stream: Pick<PublishedStream, "push" | "newRun">,
  terminal: Pick<Terminal, "line">,
): Promise<InputState> {
  const { app, name } = input;
  let current: RtmpPublisher | undefined;
  const listener = await createRtmpListener({
    host: input.host,
    port: input.port,
    log: () => undefined /* accepted and refused encoders are told of below */,
    onPublish(info, publisher): PublishAnswer {
      if (info.app !== app || info.name !== name) {
        return { refuse: `publish to ${app}/${name} here` };
      }
      if (current) {
        terminal.line(`a second encoder, ${info.remote}, was refused`);
        return { refuse: "another encoder is publishing" };
      }
      current = publisher;
      stream.newRun();
      terminal.line(`encoder ${info.remote} is publishing`);
      return {
        accept: {
          push: (frame) => stream.push(frame),
          end(reason) {
            current = undefined;
            terminal.line(
              `encoder ${info.remote} has gone (${reason}); waiting for it to come back`,
            );
          },
        },
      };
    },
  }).catch((error: NodeJS.ErrnoException) => {
    throw new StartError(listenErrorLine(error, input));
  });
  const url = `rtmp://${formatHostPort(input.host, listener.port)}/${app}/${name}`;
  terminal.line(`waiting for an encoder at ${url}`);
  return {
    get codecs() {
      return current?.codecs ?? "";
    },
    close: () => void listener.close(),
  };
}

function listenErrorLine(error: NodeJS.ErrnoException, input: RtmpInput): string {
  const where = formatHostPort(input.host, input.port);
  const why =
    error.code === "EADDRINUSE" ? "the port is in use; write another in the URL" : error.message;
  return `cannot listen for RTMP on ${where}: ${why}`;
}
