-- Writes a version of a named job, unless the newest one says the same, and moves aliases to it.
-- KEYS: all jobs, the job's versions, its aliases, archives, what holds the job's archive
-- ARGV: the job's name with its entity, digest of what the version says, the version as JSON,
--       digest of its archive or ''; then aliases
-- Returns the version's number, or -1 when the archive is not stored.
local newest = tonumber(redis.call('HGET', KEYS[3], 'latest') or -1)
if newest < 0 or redis.call('HGET', KEYS[2], 'digest') ~= ARGV[2] then
  if ARGV[4] ~= '' and not redis.call('ZSCORE', KEYS[4], ARGV[4]) then return -1 end
  newest = newest + 1
  redis.call('HSET', KEYS[2], newest, ARGV[3], 'digest', ARGV[2])
  redis.call('SADD', KEYS[1], ARGV[1])
  -- A version never changes and is never deleted, so it holds its code for ever.
  if ARGV[4] ~= '' then redis.call('SADD', KEYS[5], ARGV[1] .. ':v' .. newest) end
end
redis.call('HSET', KEYS[3], 'latest', newest)
for i = 5, #ARGV do redis.call('HSET', KEYS[3], ARGV[i], newest) end
return newest
