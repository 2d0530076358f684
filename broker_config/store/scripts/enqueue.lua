-- Write a batch of runs of one queue: record, spec, event, index entries and message of each, all in one step.
-- KEYS: queue, waiting, counts, all runs, alarms; then for each run: record, spec, events, message list, idempotency key
-- ARGV: expected revision, idempotency expiry in s, time, actor;
--       then for each run: id, spec, message ('' for a run that is held), launch digest ('' when the caller gave no
--       idempotency key), hold or '', time of its alarm in ms or '', not before or '', first place of its priority
--       among those that wait
-- Returns the outcome, then the id of each run, or of the earlier one that its idempotency key stands for; with the
-- outcome 'conflict', nothing is written, and what follows is the place in the batch and the other run's id.
local revision = redis.call('HGET', KEYS[1], 'revision')
if not revision then return {'missing'} end
if revision ~= ARGV[1] then return {'edited'} end

local count = (#KEYS - 5) / 5
local earlier, first = {}, {}
for i = 0, count - 1 do
  local key, id, digest = KEYS[10 + 5 * i], ARGV[5 + 8 * i], ARGV[8 + 8 * i]
  if digest ~= '' then
    -- Known from before, or given twice in this batch.
    local taken = first[key] or redis.call('GET', key) or (id .. ' ' .. digest)
    first[key] = taken
    local known, by = string.match(taken, '^(%S+) (%S+)$')
    if by ~= digest then return {'conflict', tostring(i), known} end
    if known ~= id then earlier[i] = known end
  end
end

local time, actor = ARGV[3], ARGV[4]
-- The broker's clock: the order of runs must not depend on the clocks of producers.
local clock = redis.call('TIME')
local place = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local runs, places, everywhere, orders, written = {'ok'}, {}, {}, {}, 0
for i = 0, count - 1 do
  local k, a = 5 + 5 * i, 4 + 8 * i
  local id = ARGV[a + 1]
  -- A record that exists was written by an earlier try whose reply was lost.
  if not earlier[i] and redis.call('EXISTS', KEYS[k + 1]) == 0 then
    local mine = string.format('%.0f', place + i)
    local hold = ARGV[a + 5]
    local reason = hold == 'runs' and 'after' or hold == 'time' and 'not-before' or 'enqueued'
    redis.call('HSET', KEYS[k + 1], 'version', 1, 'state', 'queued', 'since', time, 'reason', reason, 'attempt', 1,
      'place', mine)
    if hold ~= '' then redis.call('HSET', KEYS[k + 1], 'hold', hold, 'not_before', ARGV[a + 7]) end
    if ARGV[a + 6] ~= '' then redis.call('ZADD', KEYS[5], ARGV[a + 6], id) end
    redis.call('SET', KEYS[k + 2], ARGV[a + 2])
    redis.call('XADD', KEYS[k + 3], '*', 'at', time, 'actor', actor, 'old', '', 'new', 'queued',
      'reason', reason, 'text', '', 'attempt', 1)
    if hold == '' then
      local list = orders[KEYS[k + 4]] or {}
      list[#list + 1] = ARGV[a + 3]
      orders[KEYS[k + 4]] = list
      places[#places + 1] = string.format('%.0f', ARGV[a + 8] + place + i)
      places[#places + 1] = id
    end
    everywhere[#everywhere + 1] = mine
    everywhere[#everywhere + 1] = id
    if ARGV[a + 4] ~= '' then redis.call('SET', KEYS[k + 5], id .. ' ' .. ARGV[a + 4], 'EX', ARGV[2]) end
    written = written + 1
  end
  runs[#runs + 1] = earlier[i] or id
end
if written > 0 then
  for key, list in pairs(orders) do redis.call('LPUSH', key, unpack(list)) end
  if #places > 0 then redis.call('ZADD', KEYS[2], unpack(places)) end
  redis.call('ZADD', KEYS[4], unpack(everywhere))
end
-- Also when nothing is new: a WAIT that follows stands for this write, and so for those of the earlier try.
redis.call('HINCRBY', KEYS[3], 'queued', written)
return runs
