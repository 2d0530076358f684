-- Add lines to a run's log if nobody else has read on from that place: not this call's own first try, whose reply was
-- lost, and not another session that follows the run by now.
-- KEYS: logs ; ARGV: position that was read from, position that was read to, lines, most entries
-- Returns the position of the job's newest lines afterwards.
local newest = ''
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 10)) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  if fields['stream'] == 'job' then newest = fields['position']; break end
end
if newest ~= ARGV[1] then return newest end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'stream', 'job', 'text', ARGV[3], 'position', ARGV[2])
return ARGV[2]
