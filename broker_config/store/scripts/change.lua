#!lua flags=allow-oom
-- Change a run's record if nobody else did since it was read, and write the event that says so.
-- KEYS: record, spec, events, logs, waiting, counts, the agent's runs, ended runs, wishes, message list,
--       Celery result, the runs of the agent that holds the run afterwards, alarms, dependents, queue, authors,
--       the author's runs that are held for a place, archives, what holds the run's archive, history
-- ARGV: run id, expected version, fence ('' for a writer that holds no claim), time, actor, new state, reason, text,
--       retention in s, score, 'wish' or '', message to send or '', result document or '',
--       time of the alarm in ms or '', first place of its priority among those that wait, author,
--       digest of the run's archive or '';
--       then field, value, ...
-- Returns the new version, or 0 when the record is another one by now.
local terminal = {succeeded = true, failed = true, cancelled = true, preempted = true}
local now = redis.call('HMGET', KEYS[1], 'version', 'state', 'fence', 'attempt', 'place')
if now[1] ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' and (now[3] or '0') ~= ARGV[3] then return 0 end

local id, old, new = ARGV[1], now[2], ARGV[6]
local fields = {'reason', ARGV[7], 'text', ARGV[8]}
for i = 18, #ARGV do fields[#fields + 1] = ARGV[i] end
if new ~= old then
  fields[#fields + 1] = 'state'; fields[#fields + 1] = new
  fields[#fields + 1] = 'since'; fields[#fields + 1] = ARGV[4]
  redis.call('HINCRBY', KEYS[6], old, -1)
  redis.call('HINCRBY', KEYS[6], new, 1)
end
redis.call('HSET', KEYS[1], unpack(fields))
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('XADD', KEYS[3], '*', 'at', ARGV[4], 'actor', ARGV[5], 'old', old, 'new', new,
  'reason', ARGV[7], 'text', ARGV[8], 'attempt', redis.call('HGET', KEYS[1], 'attempt'))

-- What the author has of the queue, and whether others of the author's runs may go now.
local function share(state) return state == 'queued' and 'queued ' or not terminal[state] and 'live ' or '' end
local before, after = share(old), share(new)
if before ~= after then
  if before ~= '' and redis.call('HINCRBY', KEYS[16], before .. ARGV[16], -1) <= 0 then
    redis.call('HDEL', KEYS[16], before .. ARGV[16])
  end
  if after ~= '' then redis.call('HINCRBY', KEYS[16], after .. ARGV[16], 1) end
end
if old == 'queued' and (new ~= old or ARGV[12] ~= '') then redis.call('ZREM', KEYS[17], id) end
if before ~= after and after ~= 'live ' then
  local limit = tonumber(redis.call('HGET', KEYS[15], 'max_running_per_author'))
  local last = limit and limit - (redis.call('HGET', KEYS[16], 'live ' .. ARGV[16]) or 0) - 1 or -1
  if not limit or last >= 0 then
    local seconds = redis.call('TIME')[1]
    for _, held in ipairs(redis.call('ZRANGE', KEYS[17], 0, last)) do
      redis.call('ZADD', KEYS[13], seconds * 1000, held)
    end
  end
end

if KEYS[12] ~= KEYS[7] then
  redis.call('SREM', KEYS[7], id)
  redis.call('SADD', KEYS[12], id)
end
if new ~= old and old == 'queued' then
  redis.call('ZREM', KEYS[5], id)
  redis.call('ZREM', KEYS[13], id)
end
if new == 'queued' then
  redis.call('SREM', KEYS[7], id)
  if ARGV[14] ~= '' then redis.call('ZADD', KEYS[13], ARGV[14], id)
  elseif ARGV[12] ~= '' then redis.call('ZREM', KEYS[13], id) end
  -- For Celery a run that waits for an agent is PENDING: it has no result.
  if new ~= old then redis.call('DEL', KEYS[11]) end
elseif terminal[new] then
  redis.call('SREM', KEYS[7], id)
  redis.call('ZADD', KEYS[8], ARGV[10], id)
  -- What goes into a history first stays until it is there.
  if redis.call('EXISTS', KEYS[20]) == 0 then
    for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[9]) end
  end
  if ARGV[17] ~= '' then
    -- As long as its record is kept, the run can be launched again.
    redis.call('SREM', KEYS[19], id)
    redis.call('ZADD', KEYS[18], 'XX', 'GT', (redis.call('TIME')[1] + ARGV[9]) * 1000, ARGV[17])
  end
  -- Who waits for this run is looked at now. The clock of the alarm tells two ends of one moment apart.
  local clock = redis.call('TIME')
  for _, dependent in ipairs(redis.call('SMEMBERS', KEYS[14])) do
    redis.call('ZADD', KEYS[13], string.format('%.3f', clock[1] * 1000 + clock[2] / 1000), dependent)
  end
  redis.call('EXPIRE', KEYS[14], ARGV[9])
end
if ARGV[12] ~= '' then
  local waits = ARGV[15] + now[5]
  redis.call('ZADD', KEYS[5], string.format('%.0f', waits), id)
  -- The end of the list is its front. What waited has its place there, behind those few that are older still.
  local older = {}
  while #older < 100 do
    local front = redis.call('LINDEX', KEYS[10], -1)
    local readable, order = pcall(cjson.decode, front or '')
    local headers = readable and type(order) == 'table' and order.headers
    local place = type(headers) == 'table' and redis.call('ZSCORE', KEYS[5], tostring(headers.id))
    if not place or tonumber(place) >= waits then break end
    older[#older + 1] = redis.call('RPOP', KEYS[10])
  end
  redis.call('RPUSH', KEYS[10], ARGV[12])
  for i = #older, 1, -1 do redis.call('RPUSH', KEYS[10], older[i]) end
end
if ARGV[13] ~= '' then
  redis.call('SETEX', KEYS[11], ARGV[9], ARGV[13])
  redis.call('PUBLISH', KEYS[11], ARGV[13])
end
if ARGV[11] == 'wish' then redis.call('XADD', KEYS[9], 'MAXLEN', '~', 10000, '*', 'run', id) end
return version
