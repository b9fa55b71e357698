-- wrk's side of the load: submissions that differ in home and in one value, made by joining texts.
-- In: a file with a request whose home is HOME and whose value is VALUE!!, the first number.
-- Out: one line of figures (`load.run_wrk` reads it).
local HOMES = 200
local before, between, after
local number

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  local home_from, home_to = text:find("HOME", 1, true)
  local value_from, value_to = text:find("VALUE!!", 1, true)
  before = text:sub(1, home_from - 1)
  between = text:sub(home_to + 1, value_from - 1)
  after = text:sub(value_to + 1)
  number = tonumber(args[2])
end

function request()
  number = number + 1
  local home = string.format("%04d", number % HOMES)
  return before .. home .. between .. string.format("%07d", number) .. after
end

function done(summary, latency, _requests)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("FIGURES %d %d %d %d %d %d\n", summary.duration, summary.requests,
    errors.status, lost, latency:percentile(50), latency:percentile(99)))
end
