-- Enter an archive whose bytes have been stored. Until then its location is loose, and nobody is sent there.
-- KEYS: archives, the archive, loose locations
-- ARGV: digest, grace in s, location, size, time, the location from before that has lost its bytes or ''
-- Returns the location that counts: another one when another producer was first; '' when this one is rubbish by now.
local before = redis.call('HGET', KEYS[2], 'location')
-- The reply of an earlier try was lost.
if before == ARGV[3] then return before end
if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[3]) or '0') == 0 then return '' end
redis.call('ZREM', KEYS[3], ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', (redis.call('TIME')[1] + ARGV[2]) * 1000, ARGV[1])
if before and before ~= ARGV[6] then
  redis.call('ZADD', KEYS[3], 0, ARGV[3])
  return before
end
if before then redis.call('ZADD', KEYS[3], 0, before) end
redis.call('HSET', KEYS[2], 'location', ARGV[3], 'size_bytes', ARGV[4], 'stored_at', ARGV[5])
return ARGV[3]
