-- Sends the requests of `wrk`: each has the next token of a file, whose lines are a slug and a token.
-- Arguments: a path, in which SLUG stands for the slug, the file, and a cookie if there is one.

local requests = {}
local last = 0

function init(args)
  for line in io.lines(args[2]) do
    local slug, token = line:match("(%S+) (%S+)")
    local path = args[1]:gsub("SLUG", slug)
    local headers = { Authorization = "Bearer " .. token, Cookie = args[3] }
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end
