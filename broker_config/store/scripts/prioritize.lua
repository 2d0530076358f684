#!lua flags=allow-oom
-- Give a run that waits another priority. Its order goes to where it would be, had the run been enqueued with that one.
-- KEYS: record, events, waiting, the author's runs that are held for a place, message list, that of the new priority
-- ARGV: run id, expected version, time, actor, text, new priority, first places of the old and of the new priority among
--       those that wait, how many places a priority has, message with the new priority
-- Returns the new version, or 0 when the record is another one by now.
local now = redis.call('HMGET', KEYS[1], 'version', 'attempt', 'place', 'hold')
if now[1] ~= ARGV[2] then return 0 end
local id = ARGV[1]
redis.call('HSET', KEYS[1], 'new_priority', ARGV[6])
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('XADD', KEYS[2], '*', 'at', ARGV[3], 'actor', ARGV[4], 'old', 'queued', 'new', 'queued',
  'reason', 'priority-changed', 'text', ARGV[5], 'attempt', now[2])

local before, after = ARGV[7] + now[3], ARGV[8] + now[3]
local place = string.format('%.0f', after)
redis.call('ZADD', KEYS[4], 'XX', place, id)
-- A run that is held has no order: it gets one of this priority when it is held no longer.
if (now[4] or '') ~= '' then return version end

local function run_of(text)
  local readable, order = pcall(cjson.decode, text or '')
  local headers = readable and type(order) == 'table' and order.headers
  return type(headers) == 'table' and tostring(headers.id) or ''
end
-- A list has the newest order first. The first index at which an order is not newer than a place, or the list's length.
local function find(list, first, wanted)
  local low, high = 0, redis.call('LLEN', list)
  while low < high do
    local index = math.floor((low + high) / 2)
    local middle, found = index, nil
    -- A second delivery whose run does not wait here any more has no place: its neighbour tells.
    repeat
      local score = tonumber(redis.call('ZSCORE', KEYS[3], run_of(redis.call('LINDEX', list, index))) or '')
      found = score and score >= first and score < first + ARGV[9] and score
      index = index + 1
    until found or index >= high
    if found and found > wanted then low = index else high = middle end
  end
  return low
end

-- An agent may have the order in its hands. Then that one is carried out, or comes to nothing after the one written here.
local index = find(KEYS[5], tonumber(ARGV[7]), before)
local text = redis.call('LINDEX', KEYS[5], index)
while run_of(text) == id do
  redis.call('LREM', KEYS[5], 1, text)
  text = redis.call('LINDEX', KEYS[5], index)
end
redis.call('ZADD', KEYS[3], place, id)
local older = redis.call('LINDEX', KEYS[6], find(KEYS[6], tonumber(ARGV[8]), after))
if older then redis.call('LINSERT', KEYS[6], 'BEFORE', older, ARGV[10]) else redis.call('RPUSH', KEYS[6], ARGV[10]) end
return version
