#!lua flags=allow-oom
-- Write the record of a run that a target has and the broker has lost, unless there is one.
-- KEYS: record, spec, events, counts, all runs, the agent's runs, Celery result, newest revisions, authors,
--       what holds its archive
-- ARGV: run id, spec, time, actor, text, state, attempt, place, queue revision, result document, its expiry in s, queue,
--       author, digest of its archive or '';
--       then field, value, ...
-- Returns 1 when it was written, else 0.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local id, time, state = ARGV[1], ARGV[3], ARGV[6]
local clock = redis.call('TIME')
-- Larger than any version that an agent has in mind, so that no change is accepted that was decided on the lost record.
redis.call('HSET', KEYS[1], 'version', string.format('%.0f', clock[1] * 1000000 + clock[2]), 'state', state,
  'since', time, 'reason', 'recovered', 'text', ARGV[5], unpack(ARGV, 15))
redis.call('SET', KEYS[2], ARGV[2])
redis.call('XADD', KEYS[3], '*', 'at', time, 'actor', ARGV[4], 'old', '', 'new', state, 'reason', 'recovered',
  'text', ARGV[5], 'attempt', ARGV[7])
redis.call('HINCRBY', KEYS[4], state, 1)
redis.call('HINCRBY', KEYS[9], 'live ' .. ARGV[13], 1)
redis.call('ZADD', KEYS[5], ARGV[8], id)
redis.call('SADD', KEYS[6], id)
if ARGV[14] ~= '' then redis.call('SADD', KEYS[10], id) end
redis.call('SETEX', KEYS[7], ARGV[11], ARGV[10])
-- No revision is used twice, also for producers that remember a queue from before.
if tonumber(redis.call('HGET', KEYS[8], ARGV[12]) or '0') < tonumber(ARGV[9]) then
  redis.call('HSET', KEYS[8], ARGV[12], ARGV[9])
end
return 1
