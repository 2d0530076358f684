#!lua flags=allow-oom
-- Take, renew or give back the lease on an agent's name.
-- KEYS: lease ; ARGV: operation, session, milliseconds, the session that may be replaced or ''
-- Returns the session that holds the lease afterwards ('' when nobody does).
local holder = redis.call('GET', KEYS[1]) or ''
if ARGV[1] == 'release' then
  if holder == ARGV[2] then redis.call('DEL', KEYS[1]); return '' end
  return holder
end
local mine = holder == ARGV[2]
local free = ARGV[1] == 'take' and (holder == '' or holder == ARGV[4])
-- A lease that ran out while its holder was frozen may be renewed as long as nobody took the name.
if mine or free or (ARGV[1] == 'renew' and holder == '') then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ARGV[2]
end
return holder
