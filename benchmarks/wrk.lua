-- Sends prepared requests, each one once. The file (the script's argument) holds pairs of a length
-- on a line of its own and a request of so many bytes.
local file
local sent_all = false

function init(args)
  file = assert(io.open(args[1], "rb"))
end

function request()
  local length = file:read("*l")
  if not length then
    sent_all = true
    wrk.thread:stop()
    return wrk.format("GET", "/hello")
  end
  return file:read(tonumber(length))
end
