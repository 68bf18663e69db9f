-- The rules of `LocalPacer`, line by line, on state shared through Redis. Returns the seconds to wait as text.
local state, under_way = KEYS[1], KEYS[2]
local verb = ARGV[1]
local r = {}
for i, name in ipairs({'limit', 'window', 'kept', 'tail', 'probes', 'probe_wait', 'forgotten', 'margin', 'own'}) do
  r[name] = tonumber(ARGV[i + 1])
end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6

local names = {'limit', 'used', 'sent', 'end', 'end_known', 'paused', 'probes'}
local s = {limit = r.limit, used = 0, sent = 0, ['end'] = 0, end_known = 0, paused = 0, probes = r.probes}
for i, value in ipairs(redis.call('HMGET', state, unpack(names))) do
  if value then s[names[i]] = tonumber(value) end
end

local function keep()
  local flat = {}
  for _, name in ipairs(names) do
    flat[#flat + 1] = name
    flat[#flat + 1] = string.format('%.6f', s[name])
  end
  redis.call('HSET', state, unpack(flat))
  redis.call('EXPIRE', state, 7200)
  redis.call('EXPIRE', under_way, 7200)
end

local function turn()
  if now >= s['end'] then
    s['end'], s.end_known, s.used, s.sent = now + r.window, 0, 0, 0
  end
end

local function kept(left)
  local share = math.min(1, math.max(0, (left - r.tail) / (r.window - r.tail)))
  return math.ceil(s.limit * r.kept * share)
end

local function wait_for(first_served)
  local oldest = redis.call('LINDEX', under_way, 0)
  while oldest and tonumber(oldest) <= now - r.forgotten do
    redis.call('LPOP', under_way)
    s.used = s.used + 1
    oldest = redis.call('LINDEX', under_way, 0)
  end
  if now < s.paused then return s.paused - now end
  turn()
  local flying = redis.call('LLEN', under_way)
  if s.probes > 0 and flying >= s.probes then return r.probe_wait end
  local left = s['end'] - now
  local free = s.limit - s.used - flying
  local back = first_served and 0 or kept(left)
  local within_share = r.own >= 1 or s.sent < math.max(1, math.floor(s.limit * r.own))
  if free > back and within_share then
    redis.call('RPUSH', under_way, string.format('%.6f', now))
    s.sent = s.sent + 1
    return 0
  end
  if flying > 0 and free + flying > back then return math.min(r.probe_wait, left) end
  if free > 0 and free <= back then
    local released = r.tail + (free - 1) / (s.limit * r.kept) * (r.window - r.tail)
    return math.max(r.probe_wait / 5, left - released)
  end
  return left
end

local function learn(limit, remaining, left)
  redis.call('LPOP', under_way)
  local ends = left and now + left + r.margin
  if not limit or not remaining or (ends and ends <= now) then
    s.used = s.used + 1
    return
  end
  if now >= s.paused then s.probes = 0 end
  turn()
  local used = math.max(0, limit - remaining)
  local newer = ends and ends > s['end'] + 2 * r.margin
  if ends and (newer or s.end_known == 0) then
    if newer then s.sent = redis.call('LLEN', under_way) + 1 end
    s['end'], s.end_known, s.used = ends, 1, used
  else
    if ends then s['end'] = math.min(s['end'], ends) end
    s.used = math.max(s.used, used)
  end
  s.limit = limit
end

local wait = 0
if verb == 'take' then
  wait = wait_for(ARGV[11] == '1')
elseif verb == 'learn' then
  learn(tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]))
else
  s.paused = math.max(s.paused, now + tonumber(ARGV[11]))
  s.probes = 1
end
keep()
return string.format('%.6f', wait)
