#!lua flags=allow-oom
-- Forget an archive, unless something holds it. Its locations are rubbish from now on.
-- KEYS: archives, the archive, its holders, loose locations
-- ARGV: digest, 'due' or 'unheld', seconds until an archive that is held is looked at again
-- Returns 1 when it is forgotten.
local now = redis.call('TIME')[1] * 1000
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or (ARGV[2] == 'due' and tonumber(due) > now) then return 0 end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('ZADD', KEYS[1], 'GT', now + ARGV[3] * 1000, ARGV[1])
  return 0
end
local fields = redis.call('HGETALL', KEYS[2])
for i = 1, #fields, 2 do
  if fields[i] ~= 'size_bytes' and fields[i] ~= 'stored_at' then
    redis.call('ZADD', KEYS[4], 0, fields[i] .. '/' .. fields[i + 1])
  end
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
