-- Enter a place of an archive whose bytes have been stored. Until then its location is loose: nobody is sent there.
-- KEYS: archives, the archive, loose locations
-- ARGV: digest, grace in s, place, name there, size, time, the name from before that has lost its bytes or ''
-- Returns the name that counts: another one when another producer was first; '' when this one is rubbish by now.
local before = redis.call('HGET', KEYS[2], ARGV[3])
-- The reply of an earlier try was lost.
if before == ARGV[4] then return before end
local location = ARGV[3] .. '/' .. ARGV[4]
if tonumber(redis.call('ZSCORE', KEYS[3], location) or '0') == 0 then return '' end
redis.call('ZREM', KEYS[3], location)
redis.call('ZADD', KEYS[1], 'GT', (redis.call('TIME')[1] + ARGV[2]) * 1000, ARGV[1])
if before and before ~= ARGV[7] then
  redis.call('ZADD', KEYS[3], 0, location)
  return before
end
if before then redis.call('ZADD', KEYS[3], 0, ARGV[3] .. '/' .. before) end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4], 'size_bytes', ARGV[5], 'stored_at', ARGV[6])
return ARGV[4]
