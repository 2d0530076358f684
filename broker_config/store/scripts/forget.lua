#!lua flags=allow-oom
-- Drop all that there is of ended runs.
-- KEYS: all runs, ended runs; then of each run: record, spec, events, logs, dependents, Celery result
-- ARGV: of each run: id, and the version of its record that may be dropped, or '' for any
-- Returns how many were dropped. One that is live, or has changed, stays.
local terminal = {succeeded = true, failed = true, cancelled = true, preempted = true}
local dropped = 0
for i = 1, #ARGV, 2 do
  local first = 3 + (i - 1) * 3
  local found = redis.call('HMGET', KEYS[first], 'state', 'version')
  if found[1] and not terminal[found[1]] then
    -- A record that was lost and written anew: it has not ended.
    redis.call('ZREM', KEYS[2], ARGV[i])
  elseif not found[1] or ARGV[i + 1] == '' or ARGV[i + 1] == found[2] then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
    redis.call('UNLINK', unpack(KEYS, first, first + 5))
    dropped = dropped + 1
  end
end
return dropped
