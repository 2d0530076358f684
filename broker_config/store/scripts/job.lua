-- Writes a version of a named job, unless the newest one says the same, and moves aliases to it.
-- KEYS: all jobs, the job's versions, its aliases
-- ARGV: the job's name with its entity, digest of what the version says, the version as JSON; then aliases
-- Returns the version's number.
local newest = tonumber(redis.call('HGET', KEYS[3], 'latest') or -1)
if newest < 0 or redis.call('HGET', KEYS[2], 'digest') ~= ARGV[2] then
  newest = newest + 1
  redis.call('HSET', KEYS[2], newest, ARGV[3], 'digest', ARGV[2])
  redis.call('SADD', KEYS[1], ARGV[1])
end
redis.call('HSET', KEYS[3], 'latest', newest)
for i = 4, #ARGV do redis.call('HSET', KEYS[3], ARGV[i], newest) end
return newest
