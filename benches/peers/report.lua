-- Prints what the driver reads: requests answered, failures of any kind, microseconds of load.
done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("FIGURES %d %d %d\n", summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout, summary.duration))
end
