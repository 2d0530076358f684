#!lua flags=allow-oom
-- Give a queued run to an agent, if it is still to be had.
-- KEYS: record, queue, waiting, counts, events, the agent's runs, the agent's lease, Celery result, alarms,
--       spec, authors, the author's runs that are held for a place
-- ARGV: run id, agent, fence, session, time, text, result document, its expiry in s, queue, author
-- Returns {outcome, spec, field, value, ...} with the record after the claim.
local state = redis.call('HGET', KEYS[1], 'state')
local spec = redis.call('GET', KEYS[10])
if not state or not spec then return {'unknown'} end
-- Whoever may push to the broker may write any message; what runs is what the record says, on the queue that it says.
local written = cjson.decode(spec)
local owner = written['queue']['entity']
local queue = (owner == 'default' and '' or owner .. '/') .. written['queue']['name']
if written['id'] ~= ARGV[1] or queue ~= ARGV[9] or written['author'] ~= ARGV[10] then return {'unknown'} end
if state ~= 'queued' then return {'not-queued', spec, unpack(redis.call('HGETALL', KEYS[1]))} end
-- An order that comes twice must not start a run before its time.
if (redis.call('HGET', KEYS[1], 'hold') or '') ~= '' then return {'held'} end
if redis.call('GET', KEYS[7]) ~= ARGV[4] then return {'lease-lost'} end
if redis.call('HGET', KEYS[2], 'paused') == '1' then return {'paused'} end

-- Why a run waits for others to end: one change with its event, however often agents try; only who they are is updated.
local function wait(text)
  local reason = redis.call('HGET', KEYS[1], 'reason')
  redis.call('HSET', KEYS[1], 'reason', 'waiting-for-slot', 'text', text)
  if reason == 'waiting-for-slot' then return end
  redis.call('HINCRBY', KEYS[1], 'version', 1)
  redis.call('XADD', KEYS[5], '*', 'at', ARGV[5], 'actor', ARGV[2], 'old', 'queued', 'new', 'queued',
    'reason', 'waiting-for-slot', 'text', text, 'attempt', redis.call('HGET', KEYS[1], 'attempt'))
end
local limits = redis.call('HMGET', KEYS[2], 'max_running', 'max_running_per_author')
if tonumber(limits[1]) then
  local live = 0
  for _, number in ipairs(redis.call('HMGET', KEYS[4], 'claimed', 'building', 'submitting', 'starting', 'running')) do
    live = live + (tonumber(number) or 0)
  end
  if live >= tonumber(limits[1]) then
    local holders, all = {}, redis.call('HGETALL', KEYS[11])
    for i = 1, #all, 2 do
      local author = string.match(all[i], '^live (.*)$')
      if author then holders[#holders + 1] = author .. ' has ' .. all[i + 1] end
    end
    table.sort(holders)
    wait('The queue runs ' .. limits[1] .. ' at once: ' .. table.concat(holders, ', ') .. '.')
    return {'queue-full'}
  end
end
local mine = tonumber(redis.call('HGET', KEYS[11], 'live ' .. ARGV[10]) or '0')
if tonumber(limits[2]) and mine >= tonumber(limits[2]) then
  wait('Each author runs ' .. limits[2] .. ' at once on the queue, and ' .. ARGV[10] .. ' has ' .. mine .. '.')
  -- It gives way to others, and has its order again when one of its author's runs ends.
  redis.call('HSET', KEYS[1], 'hold', 'slot')
  redis.call('ZADD', KEYS[12], redis.call('ZSCORE', KEYS[3], ARGV[1]), ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return {'author-full'}
end

redis.call('HSET', KEYS[1], 'state', 'claimed', 'since', ARGV[5], 'reason', 'claimed', 'text', ARGV[6],
  'agent', ARGV[2], 'fence', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[9], ARGV[1])
redis.call('HINCRBY', KEYS[4], 'queued', -1)
redis.call('HINCRBY', KEYS[4], 'claimed', 1)
if redis.call('HINCRBY', KEYS[11], 'queued ' .. ARGV[10], -1) <= 0 then
  redis.call('HDEL', KEYS[11], 'queued ' .. ARGV[10])
end
redis.call('HINCRBY', KEYS[11], 'live ' .. ARGV[10], 1)
redis.call('XADD', KEYS[5], '*', 'at', ARGV[5], 'actor', ARGV[2], 'old', 'queued', 'new', 'claimed',
  'reason', 'claimed', 'text', ARGV[6], 'attempt', redis.call('HGET', KEYS[1], 'attempt'))
redis.call('SADD', KEYS[6], ARGV[1])
redis.call('SETEX', KEYS[8], ARGV[8], ARGV[7])
redis.call('PUBLISH', KEYS[8], ARGV[7])
return {'claimed', spec, unpack(redis.call('HGETALL', KEYS[1]))}
