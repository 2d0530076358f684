#!lua flags=allow-oom
-- What the agents that ask one place of a platform tell each other, by the broker's clock.
-- KEYS: the place, its hints
-- ARGV: operation, how long all of it is kept in s;
--       to hear: the position after which to, or '' for now;
--       to turn: the period in ms, the time between any two lists in ms, '1' if another's list is of no use to the caller;
--       to pause: ms;
--       to tell: most hints kept, then of each the job and its state
-- Returns for 'hear' {position, ms that the pause lasts still, and of each hint the job and its state};
-- for 'turn' {1, ms until the caller may ask} or {0, ms until it may try again}; else 1.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function left(field)
  return math.max(0, tonumber(redis.call('HGET', KEYS[1], field) or '0') - now)
end
local function put(field, at)
  redis.call('HSET', KEYS[1], field, string.format('%.0f', at))
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end

if ARGV[1] == 'hear' then
  if ARGV[3] == '' then
    local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    return {newest and newest[1] or '0-0', left('paused_until')}
  end
  local heard = {ARGV[3], left('paused_until')}
  local reply = redis.call('XREAD', 'STREAMS', KEYS[2], ARGV[3])
  for _, entry in ipairs(reply and reply[1][2] or {}) do
    heard[1] = entry[1]
    table.insert(heard, entry[2][2])
    table.insert(heard, entry[2][4])
  end
  return heard
end

if ARGV[1] == 'turn' then
  local pause = left('paused_until')
  if pause > 0 then return {0, pause} end
  local is_alone = ARGV[5] == '1'
  if not is_alone then
    local listed_at = tonumber(redis.call('HGET', KEYS[1], 'listed_at') or '0')
    if listed_at + ARGV[3] > now then return {0, listed_at + ARGV[3] - now} end
  end
  local wait = left('next_at')
  put('next_at', now + wait + ARGV[4])
  if not is_alone then put('listed_at', now + wait) end
  return {1, wait}
end

if ARGV[1] == 'pause' then
  -- The longest of several stands.
  if left('paused_until') < tonumber(ARGV[3]) then put('paused_until', now + ARGV[3]) end
  return 1
end

for first = 4, #ARGV, 2 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'job', ARGV[first], 'state', ARGV[first + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
