-- Asks one key after another for a share of its sliding window; all grant, or none counts anything.
-- A key holds what its window has let through, oldest first: how many, and when the last of them leaves minus the window.
-- ARGV, seven for each key: limit, window, part, want, slack, back, stamp (times in microseconds).
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local found, answer, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 7
  local limit, window, part = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local want, back, stamp = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  local last = now + tonumber(ARGV[at + 5])
  local packed = redis.call('GET', key) or ''
  local slots, total = {}, 0
  for from = 1, #packed - 11, 12 do
    local count, left_at = struct.unpack('<I4I8', packed, from)
    if back > 0 and math.floor(left_at / part) == math.floor(stamp / part) then
      local given = math.min(back, count)
      count, back = count - given, back - given
    end
    -- What lies further ahead than any lease was written by a clock that was wrong.
    if count > 0 and left_at + window > now and left_at <= now + 2 * window then
      slots[#slots + 1] = { count, left_at }
      total = total + count
    end
  end
  local left = math.max(limit - total, 0)
  local granted = 0
  if left == 0 then
    refused = true
  else
    granted = math.min(want, math.max(1, math.floor(left / 10)))
    local newest = slots[#slots]
    if newest and math.floor(newest[2] / part) >= math.floor(last / part) then
      newest[1], newest[2] = newest[1] + granted, math.max(newest[2], last)
    else
      slots[#slots + 1] = { granted, last }
    end
    last = slots[#slots][2]
  end
  found[i] = { key, slots, math.ceil((last + window - now) / 1000) + 1 }
  local reset = slots[1] and slots[1][2] + window - now or 0
  local base = (i - 1) * 4
  answer[base + 1], answer[base + 2], answer[base + 3], answer[base + 4] = granted, left - granted, reset, last
end
if refused then
  return answer
end
for _, one in ipairs(found) do
  local parts = {}
  for i, slot in ipairs(one[2]) do
    parts[i] = struct.pack('<I4I8', slot[1], slot[2])
  end
  redis.call('SET', one[1], table.concat(parts), 'PX', one[3])
end
return answer
