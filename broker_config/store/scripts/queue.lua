-- Write a queue's definition, new or edited, and the revision that it makes, in one step.
-- KEYS: queue, all queues, newest revisions, the queue's revisions, authors, alarms
-- ARGV: 'create' or 'edit', queue, revision that it must have or '', time, author, note, definition, most revisions kept,
--       how the keys of the runs begin that are held for a place; then each limit's name and its value or ''
-- Returns {'ok', revision}, {'taken'}, {'missing'}, or {'edited', revision, author of that one}.
local current = redis.call('HGET', KEYS[1], 'revision')
if ARGV[1] == 'create' and current then return {'taken'} end
if ARGV[1] == 'edit' and not current then return {'missing'} end
if ARGV[3] ~= '' and ARGV[3] ~= current then
  return {'edited', current, redis.call('HGET', KEYS[1], 'updated_by') or ''}
end
-- Counted for each name, and on from where a deleted queue of this name ended: a producer that knows that one finds out.
local newest = tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or '0')
local revision = string.format('%.0f', math.max(newest, tonumber(current or '0')) + 1)
redis.call('HSET', KEYS[3], ARGV[2], revision)
if not current then
  redis.call('SADD', KEYS[2], ARGV[2])
  redis.call('HSET', KEYS[1], 'created_at', ARGV[4])
end
redis.call('HSET', KEYS[1], 'revision', revision, 'updated_at', ARGV[4], 'updated_by', ARGV[5], 'queue', ARGV[7])
redis.call('XADD', KEYS[4], 'MAXLEN', ARGV[8], revision .. '-0', 'at', ARGV[4], 'author', ARGV[5], 'note', ARGV[6],
  'queue', ARGV[7])
redis.call('HSET', KEYS[1], unpack(ARGV, 10))

-- With another limit, runs may go that were held for a place.
local limit = tonumber(redis.call('HGET', KEYS[1], 'max_running_per_author'))
local seconds = redis.call('TIME')[1]
for _, field in ipairs(redis.call('HKEYS', KEYS[5])) do
  local author = string.match(field, '^queued (.*)$')
  local last = author and limit and limit - (redis.call('HGET', KEYS[5], 'live ' .. author) or 0) - 1 or -1
  if author and (not limit or last >= 0) then
    for _, held in ipairs(redis.call('ZRANGE', ARGV[9] .. author, 0, last)) do
      redis.call('ZADD', KEYS[6], seconds * 1000, held)
    end
  end
end
return {'ok', revision}
