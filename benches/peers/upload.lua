-- Sends a body of 16 KiB with each request, and prints what report.lua does.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = string.rep("x", 16 * 1024)

done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("FIGURES %d %d %d\n", summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout, summary.duration))
end
