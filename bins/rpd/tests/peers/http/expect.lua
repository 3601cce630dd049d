-- For wrk: counts the answers that are not pages of the server expected, which is the argument behind "--".
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  expected = arguments[1] .. " "
  others = 0
end

function response(status, _, body)
  if status ~= 200 or body:sub(1, #expected) ~= expected then
    others = others + 1
  end
end

function done(summary)
  local errors = summary.errors
  local faults = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  for _, thread in ipairs(threads) do
    faults = faults + thread:get("others")
  end
  print(("requests and faults: %d %d"):format(summary.requests, faults))
end
