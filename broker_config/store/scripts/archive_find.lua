-- Say where an archive is, and keep it for a while: somebody is about to enqueue a run of it.
-- KEYS: archives, the archive ; ARGV: digest, grace in s
-- Returns the archive's fields and values: none when it is not stored.
local found = redis.call('HGETALL', KEYS[2])
if #found > 0 then
  redis.call('ZADD', KEYS[1], 'XX', 'GT', (redis.call('TIME')[1] + ARGV[2]) * 1000, ARGV[1])
end
return found
