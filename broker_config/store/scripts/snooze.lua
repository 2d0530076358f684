#!lua flags=allow-oom
-- Put off or silence a run's alarm, unless somebody has set it anew since it was read.
-- KEYS: alarms ; ARGV: run id, time of the alarm as it was read, its new time or ''
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
