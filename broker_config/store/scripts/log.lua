-- Add lines to a run's log if nobody else has read on from that place: not this call's own first try, whose reply was
-- lost, and not another session that follows the run by now. Each batch says how many lines of the job are before it.
-- KEYS: logs ; ARGV: position that was read from, position that was read to, most entries, lines of each batch
-- Returns the position of the job's newest lines afterwards.
local function count(text)
  return select(2, string.gsub(text, '\n', '')) + 1
end

local newest, before = '', 0
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 10)) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  if fields['stream'] == 'job' then
    newest = fields['position']
    before = tonumber(fields['before'] or '0') + count(fields['text'])
    break
  end
end
if newest ~= ARGV[1] then return newest end
for i = 4, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*',
    'stream', 'job', 'text', ARGV[i], 'position', ARGV[2], 'before', before)
  before = before + count(ARGV[i])
end
return ARGV[2]
