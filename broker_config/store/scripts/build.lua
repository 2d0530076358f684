#!lua flags=allow-oom
-- One build at a time of what a key names: who makes it holds a lease with a fence, and tells the others how it goes on.
-- KEYS: build, its log
-- ARGV: operation, fence ('' to take), lease in ms, want, agent, session, run,
--       how the key of an agent's lease is written, with %s for the agent, how long all of it is kept in s;
--       to take: since when it is wanted, in microseconds;
--       to tell: lines, most entries kept;
--       to end: how it ended, the failure or ''
-- Returns for 'take' {'yours', fence}, {'underway', agent, run, where its log begins} or {'failed', failure}; else 1 if
-- the lease was the caller's, or 0.
local operation, fence, want, agent, session, run = ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local known = redis.call('HMGET', KEYS[1], 'fence', 'want', 'agent', 'session', 'run', 'until', 'began', 'failed_at',
  'failure')

local function keep_for_a_while()
  redis.call('EXPIRE', KEYS[1], ARGV[9])
  redis.call('EXPIRE', KEYS[2], ARGV[9])
end
-- A lease ends with its agent's session, too: who starts again under that name does not wait for itself.
local function is_held()
  return tonumber(known[6] or '0') > now and redis.call('GET', string.format(ARGV[8], known[3])) == known[4]
end
local function hold(number)
  local began = redis.call('XADD', KEYS[2], '*', 'fence', number, 'text', '', 'end', '')
  redis.call('HSET', KEYS[1], 'fence', number, 'want', want, 'agent', agent, 'session', session, 'run', run,
    'until', string.format('%.0f', now + ARGV[3] * 1000), 'began', began)
  redis.call('HDEL', KEYS[1], 'failed_at', 'failure')
end

if operation == 'take' then
  if is_held() then
    -- The reply to an earlier try was lost.
    if known[2] == want then return {'yours', known[1]} end
    return {'underway', known[3], known[5], known[7]}
  end
  -- A failure stands for those who wanted the same before it happened. Who comes later may have mended its cause.
  if tonumber(known[8] or '0') > tonumber(ARGV[10]) then return {'failed', known[9]} end
  -- By the clock, as the fences of sessions are: a promoted replica may not have heard of the newest.
  local number = string.format('%.0f', math.max(tonumber(known[1] or '0') + 1, now))
  hold(number)
  keep_for_a_while()
  return {'yours', number}
end

if operation == 'keep' then
  if known[1] == fence then
    -- Already given back, while this call was on its way.
    if known[6] == '0' then return 0 end
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[3] * 1000))
  elseif not is_held() and tonumber(known[1] or '0') < tonumber(fence) then
    -- The broker lost the lease, and nobody has taken it since.
    hold(fence)
  else
    return 0
  end
elseif known[1] ~= fence then
  return 0
elseif operation == 'tell' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[11], '*', 'fence', fence, 'text', ARGV[10], 'end', '')
elseif operation == 'end' then
  redis.call('HSET', KEYS[1], 'until', 0)
  if ARGV[11] ~= '' then redis.call('HSET', KEYS[1], 'failed_at', string.format('%.0f', now), 'failure', ARGV[11]) end
  redis.call('XADD', KEYS[2], '*', 'fence', fence, 'text', '', 'end', ARGV[10])
end
keep_for_a_while()
return 1
