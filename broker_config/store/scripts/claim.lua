#!lua flags=allow-oom
-- Give a queued run to an agent, if it is still to be had.
-- KEYS: record, queue, waiting, counts, events, the agent's runs, the agent's lease, Celery result, alarms,
--       spec
-- ARGV: run id, agent, fence, session, time, text, result document, its expiry in s, queue
-- Returns {outcome, spec, field, value, ...} with the record after the claim.
local state = redis.call('HGET', KEYS[1], 'state')
local spec = redis.call('GET', KEYS[10])
if not state or not spec then return {'unknown'} end
-- Whoever may push to the broker may write any message; what runs is what the record says, on the queue that it says.
if cjson.decode(spec)['queue']['name'] ~= ARGV[9] then return {'unknown'} end
if state ~= 'queued' then return {'not-queued', spec, unpack(redis.call('HGETALL', KEYS[1]))} end
-- An order that comes twice must not start a run before its time.
if (redis.call('HGET', KEYS[1], 'hold') or '') ~= '' then return {'held'} end
if redis.call('GET', KEYS[7]) ~= ARGV[4] then return {'lease-lost'} end
if redis.call('HGET', KEYS[2], 'paused') == '1' then return {'paused'} end

redis.call('HSET', KEYS[1], 'state', 'claimed', 'since', ARGV[5], 'reason', 'claimed', 'text', ARGV[6],
  'agent', ARGV[2], 'fence', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[9], ARGV[1])
redis.call('HINCRBY', KEYS[4], 'queued', -1)
redis.call('HINCRBY', KEYS[4], 'claimed', 1)
redis.call('XADD', KEYS[5], '*', 'at', ARGV[5], 'actor', ARGV[2], 'old', 'queued', 'new', 'claimed',
  'reason', 'claimed', 'text', ARGV[6], 'attempt', redis.call('HGET', KEYS[1], 'attempt'))
redis.call('SADD', KEYS[6], ARGV[1])
redis.call('SETEX', KEYS[8], ARGV[8], ARGV[7])
redis.call('PUBLISH', KEYS[8], ARGV[7])
return {'claimed', spec, unpack(redis.call('HGETALL', KEYS[1]))}
