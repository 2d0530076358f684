#!lua flags=allow-oom
-- A number for an agent's session that no other has. A counter alone could give one twice: a replica that is promoted
-- may not have heard of the newest, and its clock has gone on.
-- KEYS: fences
local clock = redis.call('TIME')
local fence = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, clock[1] * 1000000 + clock[2])
redis.call('SET', KEYS[1], string.format('%.0f', fence))
return fence
