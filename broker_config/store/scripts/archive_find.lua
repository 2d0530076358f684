-- Say where an archive is, and keep it for a while: somebody is about to enqueue a run of it.
-- KEYS: archives, the archive ; ARGV: digest, grace in s
-- Returns its location, or '' when it is not stored.
local location = redis.call('HGET', KEYS[2], 'location')
if not location then return '' end
redis.call('ZADD', KEYS[1], 'XX', 'GT', (redis.call('TIME')[1] + ARGV[2]) * 1000, ARGV[1])
return location
