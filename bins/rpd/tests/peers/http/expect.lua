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
  local others, errors = 0, summary.errors
  for _, thread in ipairs(threads) do
    others = others + thread:get("others")
  end
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  print(("requests=%d refused=%d others=%d broken=%d"):format(summary.requests, errors.status, others, broken))
end
