import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFields } from "./cbor.ts";
import { CloseCode } from "./close-code.ts";
import {
  CONNECT_PARAMS_BYTES_MAX,
  decodeAccept,
  decodeConnect,
  decodeCookie,
  decodeHello,
  decodeRefuse,
  decodeVersions,
  encodeAccept,
  encodeConnect,
  encodeCookie,
  encodeHello,
  encodeRefuse,
  encodeVersions,
  HELLO_BYTES_MIN,
  VERSIONS_MAX,
  WIRE_VERSION,
} from "./handshake.ts";
import { MAX_DATAGRAM, PacketType } from "./packet.ts";
import {
  addresses,
  bytesOf,
  cids,
  closeCodes,
  connectParams,
  datagramsLike,
  streamInfos,
  textOf,
  u16s,
  u32s,
} from "./testing/arbitraries.ts";

const versionLists = fc.array(u16s, { minLength: 1, maxLength: VERSIONS_MAX });
const cookies = fc.uint8Array({ minLength: 1, maxLength: 40 });
const cid = { hi: 1, lo: 2 };

describe("round trips", () => {
  test("HELLO and VERSIONS", () => {
    fc.assert(
      fc.property(cids, versionLists, (id, versions) => {
        const hello = encodeHello({ cid: id, versions });
        expect(hello.length).toBe(HELLO_BYTES_MIN);
        expect(decodeHello(hello)).toEqual({ cid: id, versions });
        const answer = encodeVersions({ cid: id, versions });
        expect(answer.length).toBeLessThan(hello.length);
        expect(decodeVersions(answer)).toEqual({ cid: id, versions });
      }),
    );
  });

  test("COOKIE and CONNECT", () => {
    fc.assert(
      fc.property(cids, u16s, cookies, connectParams, (id, version, cookie, params) => {
        const packet = { cid: id, version, cookie };
        const sent = encodeCookie(packet);
        expect(sent.length).toBeLessThan(HELLO_BYTES_MIN);
        expect(decodeCookie(sent)).toEqual(packet);
        const connect = encodeConnect({ ...packet, params });
        expect(connect.length).toBeLessThanOrEqual(MAX_DATAGRAM);
        expect(decodeConnect(connect)).toEqual({ ...packet, params });
      }),
    );
  });

  test("ACCEPT and REFUSE", () => {
    const streams = fc.option(streamInfos, { nil: undefined });
    fc.assert(
      fc.property(cids, cids, textOf(64), bytesOf(8), streams, (id, own, agent, node, stream) => {
        const packet = { cid: id, own, params: { agent, node, stream } };
        expect(decodeAccept(encodeAccept(packet))).toEqual(packet);
      }),
    );
    fc.assert(
      fc.property(cids, closeCodes, u32s, textOf(50), (id, code, retryMs, reason) => {
        if (code === CloseCode.moved) return;
        const packet = { cid: id, code, retryMs, reason };
        expect(decodeRefuse(encodeRefuse(packet))).toEqual(packet);
      }),
    );
  });

  test("REFUSE with the edges to ask instead", () => {
    const lists = fc.array(addresses, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(cids, u32s, textOf(50), lists, (id, retryMs, reason, to) => {
        const packet = { cid: id, code: CloseCode.moved, retryMs, reason, to };
        expect(decodeRefuse(encodeRefuse(packet))).toEqual(packet);
      }),
    );
  });
});

describe("refused", () => {
  const hello = encodeHello({ cid, versions: [WIRE_VERSION] });
  const cookie = encodeCookie({ cid, version: 1, cookie: new Uint8Array(20) });
  const params = { role: "viewer", stream: "live/a", agent: "a", node: new Uint8Array(8) } as const;
  const connect = encodeConnect({ cid, version: 1, cookie: new Uint8Array(20), params });

  test("a HELLO that could be amplified, or is not ours", () => {
    expect(decodeHello(hello.subarray(0, HELLO_BYTES_MIN - 1))).toBeUndefined();
    expect(decodeHello(new Uint8Array(1201).fill(1))).toBeUndefined();
    const other = hello.slice();
    other[1] = 0x54;
    expect(decodeHello(other)).toBeUndefined();
    const none = hello.slice();
    none[13] = 0;
    expect(decodeHello(none)).toBeUndefined();
    none[13] = VERSIONS_MAX + 1;
    expect(decodeHello(none)).toBeUndefined();
  });

  test("padding is taken whatever it holds", () => {
    const longer = new Uint8Array(1200).fill(7);
    longer.set(hello.subarray(0, 20));
    expect(decodeHello(longer)).toEqual({ cid, versions: [WIRE_VERSION] });
  });

  test("a packet of another type, or cut anywhere", () => {
    for (let n = 0; n < cookie.length; n++) {
      expect(decodeCookie(cookie.subarray(0, n))).toBeUndefined();
    }
    for (let n = 0; n < connect.length; n++) {
      expect(decodeConnect(connect.subarray(0, n))).toBeUndefined();
    }
    expect(decodeHello(connect)).toBeUndefined();
    expect(decodeCookie(connect)).toBeUndefined();
    expect(decodeConnect(cookie)).toBeUndefined();
    expect(decodeVersions(hello)).toBeUndefined();
    expect(decodeAccept(cookie)).toBeUndefined();
    expect(decodeRefuse(cookie)).toBeUndefined();
  });

  test("CONNECT parameters of the wrong type, too long, or missing", () => {
    const withParams = (fields: Record<string, unknown>) =>
      decodeConnect(
        Uint8Array.of(...connect.subarray(0, 32), ...encodeFields({ ...params, ...fields })),
      );
    expect(withParams({})).toBeDefined();
    expect(withParams({ later: 1 })?.params).toEqual({
      ...params,
      epoch: undefined,
      proof: undefined,
    });
    expect(withParams({ role: "king" })).toBeUndefined();
    expect(withParams({ stream: "x".repeat(129) })).toBeUndefined();
    expect(withParams({ stream: undefined })).toBeUndefined();
    expect(withParams({ node: new Uint8Array(7) })).toBeUndefined();
    expect(withParams({ epoch: -1 })).toBeUndefined();
    expect(withParams({ epoch: "1" })).toBeUndefined();
    expect(withParams({ proof: new Uint8Array(31) })).toBeUndefined();
    expect(withParams({ later: "x".repeat(CONNECT_PARAMS_BYTES_MAX) })).toBeUndefined();
  });
});

test("any bytes are judged, not thrown at", () => {
  const decoders = {
    [PacketType.HELLO]: decodeHello,
    [PacketType.COOKIE]: decodeCookie,
    [PacketType.VERSIONS]: decodeVersions,
    [PacketType.CONNECT]: decodeConnect,
    [PacketType.ACCEPT]: decodeAccept,
    [PacketType.REFUSE]: decodeRefuse,
  };
  for (const [type, decode] of Object.entries(decoders)) {
    fc.assert(
      fc.property(datagramsLike(Number(type)), (data) => {
        const within = new Uint8Array(data.length + 64).fill(0xa1);
        within.set(data, 32);
        expect(decode(within.subarray(32, 32 + data.length))).toEqual(decode(data));
      }),
    );
  }
});
