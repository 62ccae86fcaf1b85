-- Sends each request to a host picked at random: COUNT hosts, spread evenly over TOTAL registered ones.
-- The requests are rendered before the load starts, so that picking costs the load core next to nothing.
local rendered = {}

init = function(args)
    local count, total = tonumber(args[1]), tonumber(args[2])
    for i = 1, count do
        local index = math.floor((i - 1) * total / count)
        rendered[i] = wrk.format("GET", "/", { Host = string.format("app-%06d.apps.example.com", index) })
    end
    math.randomseed(1)
end

request = function()
    return rendered[math.random(#rendered)]
end

done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("FIGURES %d %d %d\n", summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout, summary.duration))
end
