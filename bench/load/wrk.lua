-- wrk … -s wrk.lua URL -- FILE : replays the requests of FILE (heads separated by NUL, all with the body FILE.body).
local requests = {}
local turn = 0

local function contents(path)
  local handle = assert(io.open(path, "rb"))
  local text = handle:read("*a")
  handle:close()
  return text
end

function init(args)
  local body = contents(args[1] .. ".body")
  for head in (contents(args[1]) .. "\0"):gmatch("([^%z]+)%z") do
    requests[#requests + 1] = head .. body
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

-- One line that is easy to read by program; latencies are in microseconds.
function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    failed.status + failed.connect + failed.read + failed.write + failed.timeout
  ))
end
