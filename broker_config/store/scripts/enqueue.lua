-- Write a batch of runs of one queue: record, spec, event, index entries and message of each, all in one step.
-- KEYS: queue, waiting, counts, all runs, alarms, authors, archives; then for each run: record, spec, events,
--       message list, idempotency key, what holds its archive
-- ARGV: expected revision, idempotency expiry in s, time, author, runs of the same launch that later steps write;
--       then for each run: id, spec, message ('' for a run that is held), launch digest ('' when the caller gave no
--       idempotency key), hold or '', time of its alarm in ms or '', not before or '', first place of its priority
--       among those that wait, digest of its archive or '', signature of its spec or ''
-- Returns the outcome, then the id of each run, or of the earlier one that its idempotency key stands for; with the
-- outcome 'conflict', nothing is written, and what follows is the place in the batch and the other run's id; with 'full'
-- it is the limit's name, its value, and what counts towards it by author; with 'no-code' it is the digest.
local revision = redis.call('HGET', KEYS[1], 'revision')
if not revision then return {'missing'} end
if revision ~= ARGV[1] then return {'edited'} end

local count = (#KEYS - 7) / 6
local earlier, first = {}, {}
for i = 0, count - 1 do
  local key, id, digest = KEYS[12 + 6 * i], ARGV[6 + 10 * i], ARGV[9 + 10 * i]
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
local limits = redis.call('HMGET', KEYS[1], 'max_queued', 'max_queued_per_author', 'draining')
local of_queue, of_author = tonumber(limits[1]), tonumber(limits[2])
if of_queue or of_author or limits[3] == '1' then
  local new = 0
  for i = 0, count - 1 do
    if not earlier[i] and redis.call('EXISTS', KEYS[8 + 6 * i]) == 0 then new = new + 1 end
  end
  if new > 0 then
    if limits[3] == '1' then return {'draining'} end
    -- A launch of many runs is written in several steps; one that does not fit is refused in the first.
    local coming = new + tonumber(ARGV[5])
    if of_queue and tonumber(redis.call('HGET', KEYS[3], 'queued') or '0') + coming > of_queue then
      return {'full', 'max_queued', limits[1], unpack(redis.call('HGETALL', KEYS[6]))}
    end
    local mine = redis.call('HGET', KEYS[6], 'queued ' .. actor) or '0'
    if of_author and tonumber(mine) + coming > of_author then
      return {'full', 'max_queued_per_author', limits[2], 'queued ' .. actor, mine}
    end
  end
end
-- An archive that nothing held may have been forgotten since it was stored.
for i = 0, count - 1 do
  local digest = ARGV[14 + 10 * i]
  if digest ~= '' and not earlier[i] and not redis.call('ZSCORE', KEYS[7], digest) then return {'no-code', digest} end
end
-- The broker's clock: the order of runs must not depend on the clocks of producers.
local clock = redis.call('TIME')
local place = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local runs, places, everywhere, orders, written = {'ok'}, {}, {}, {}, 0
for i = 0, count - 1 do
  local k, a = 7 + 6 * i, 5 + 10 * i
  local id = ARGV[a + 1]
  -- A record that exists was written by an earlier try whose reply was lost.
  if not earlier[i] and redis.call('EXISTS', KEYS[k + 1]) == 0 then
    local mine = string.format('%.0f', place + i)
    local hold = ARGV[a + 5]
    local reason = hold == 'runs' and 'after' or hold == 'time' and 'not-before' or 'enqueued'
    redis.call('HSET', KEYS[k + 1], 'version', 1, 'state', 'queued', 'since', time, 'reason', reason, 'attempt', 1,
      'place', mine)
    if hold ~= '' then redis.call('HSET', KEYS[k + 1], 'hold', hold, 'not_before', ARGV[a + 7]) end
    if ARGV[a + 10] ~= '' then redis.call('HSET', KEYS[k + 1], 'signature', ARGV[a + 10]) end
    if ARGV[a + 9] ~= '' then redis.call('SADD', KEYS[k + 6], id) end
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
  redis.call('HINCRBY', KEYS[6], 'queued ' .. actor, written)
end
-- Also when nothing is new: a WAIT that follows stands for this write, and so for those of the earlier try.
redis.call('HINCRBY', KEYS[3], 'queued', written)
return runs
