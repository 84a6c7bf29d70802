/**
 * What the registry does in Redis, each in one script and so at once. Keys, all below a namespace:
 *
 *   NS:lease    sorted set, edge → end of its lease in Redis' own time, ms
 *   NS:edges    hash, edge → EdgeRecord
 *   NS:links    hash, edge → its LinkReports
 *   NS:streams  hash, stream → StreamRecord
 *   NS:epoch:S  highest epoch of stream S, kept for a day
 *   NS:born     set once: a Redis that comes back empty has another
 *   NS:changed  channel: somebody came, went, claimed or released
 *
 * The scripts name keys by themselves: one Redis (or one with replicas), not a Redis Cluster.
 */

const COMMON = `
local ns = KEYS[1]
local lease, edges, links, streams = ns .. ':lease', ns .. ':edges', ns .. ':links', ns .. ':streams'
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function changed() redis.call('PUBLISH', ns .. ':changed', '1') end
local function boot(id)
  local text = redis.call('HGET', edges, id)
  if not text then return false end
  return cjson.decode(text).bootId
end
-- Takes out whose lease is over, and what they held.
local function expire()
  local gone = redis.call('ZRANGEBYSCORE', lease, '-inf', now)
  for _, id in ipairs(gone) do
    redis.call('ZREM', lease, id)
    redis.call('HDEL', edges, id)
    redis.call('HDEL', links, id)
  end
  local boots = {}
  local all = redis.call('HGETALL', streams)
  for i = 1, #all, 2 do
    local holder = cjson.decode(all[i + 1])
    if boots[holder.edgeId] == nil then boots[holder.edgeId] = boot(holder.edgeId) end
    if boots[holder.edgeId] ~= holder.bootId then redis.call('HDEL', streams, all[i]) end
  end
  if #gone > 0 then changed() end
end
`;

/** ARGV: edge id, boot id, EdgeRecord, links, lease ms. Gives all edges, streams, links with their edge, and `born`. */
export const BEAT = `${COMMON}
local id, bootId = ARGV[1], ARGV[2]
local before = boot(id)
redis.call('HSET', edges, id, ARGV[3])
redis.call('HSET', links, id, ARGV[4])
redis.call('ZADD', lease, now + ARGV[5], id)
expire()
if before ~= bootId then changed() end
redis.call('SET', ns .. ':born', bootId .. now, 'NX')
return {
  redis.call('HVALS', edges), redis.call('HVALS', streams), redis.call('HGETALL', links),
  redis.call('GET', ns .. ':born')
}
`;

/** ARGV: stream, StreamRecord, epoch, days in ms. Gives {1, highest epoch} or {0, the holder's record}. */
export const CLAIM = `${COMMON}
expire()
local mine = cjson.decode(ARGV[2])
local text = redis.call('HGET', streams, ARGV[1])
if text then
  local holder = cjson.decode(text)
  if holder.edgeId ~= mine.edgeId and holder.publisher ~= mine.publisher then return { 0, text } end
end
local key = ns .. ':epoch:' .. ARGV[1]
local highest = tonumber(redis.call('GET', key) or '0')
redis.call('HSET', streams, ARGV[1], ARGV[2])
local epoch = string.format('%.0f', math.max(highest, tonumber(ARGV[3])))
redis.call('SET', key, epoch, 'PX', ARGV[4])
changed()
return { 1, string.format('%.0f', highest) }
`;

/** ARGV: stream, edge id, boot id. */
export const RELEASE = `${COMMON}
local text = redis.call('HGET', streams, ARGV[1])
if not text then return 0 end
local holder = cjson.decode(text)
if holder.edgeId ~= ARGV[2] or holder.bootId ~= ARGV[3] then return 0 end
redis.call('HDEL', streams, ARGV[1])
changed()
return 1
`;

/** ARGV: edge id, boot id. */
export const LEAVE = `${COMMON}
if boot(ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', lease, ARGV[1])
redis.call('HDEL', edges, ARGV[1])
redis.call('HDEL', links, ARGV[1])
expire()
changed()
return 1
`;
