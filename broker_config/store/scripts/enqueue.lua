-- Write a batch of runs of one queue: record, spec, event, index entries and message of each, all in one step.
-- KEYS: queue, waiting, counts, all runs; then for each run: record, spec, events, message list, idempotency key
-- ARGV: expected revision, idempotency expiry in s, time, actor;
--       then for each run: id, spec, message, launch digest ('' when the caller gave no idempotency key)
local revision = redis.call('HGET', KEYS[1], 'revision')
if not revision then return {'missing'} end
if revision ~= ARGV[1] then return {'edited'} end

local time, actor = ARGV[3], ARGV[4]
-- The broker's clock: the order of runs must not depend on the clocks of producers.
local clock = redis.call('TIME')
local place = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local runs, written = {'ok'}, 0
for i = 0, (#KEYS - 4) / 5 - 1 do
  local k, a = 4 + 5 * i, 4 + 4 * i
  local id, digest = ARGV[a + 1], ARGV[a + 4]
  local taken = digest ~= '' and redis.call('GET', KEYS[k + 5])
  if taken then
    local known, by = string.match(taken, '^(%S+) (%S+)$')
    runs[#runs + 1] = (by == digest) and known or ('!' .. known)
  elseif redis.call('EXISTS', KEYS[k + 1]) == 1 then
    -- The reply to an earlier try was lost: the same id was written then.
    runs[#runs + 1] = id
  else
    redis.call('HSET', KEYS[k + 1], 'version', 1, 'state', 'queued', 'since', time, 'reason', 'enqueued', 'attempt', 1,
      'place', string.format('%.0f', place + i))
    redis.call('SET', KEYS[k + 2], ARGV[a + 2])
    redis.call('XADD', KEYS[k + 3], '*', 'at', time, 'actor', actor, 'old', '', 'new', 'queued',
      'reason', 'enqueued', 'text', '', 'attempt', 1)
    redis.call('LPUSH', KEYS[k + 4], ARGV[a + 3])
    redis.call('ZADD', KEYS[2], place + i, id)
    redis.call('ZADD', KEYS[4], place + i, id)
    if digest ~= '' then redis.call('SET', KEYS[k + 5], id .. ' ' .. digest, 'EX', ARGV[2]) end
    written = written + 1
    runs[#runs + 1] = id
  end
end
if written > 0 then redis.call('HINCRBY', KEYS[3], 'queued', written) end
return runs
