// The workload's transactions per second, as pgbench reports them, and a small chart of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::cli {

/// The rate in one line of `pgbench --progress` ("progress: 3.0 s, 512.3 tps, lat ...").
std::optional<double> parse_progress(std::string_view line);

/// Follows the file pgbench writes its progress to. Never reads a half-written line.
class Throughput {
public:
    explicit Throughput(std::string path);
    /// Takes in what was written since the last call; all samples so far, one a second.
    const std::vector<double>& samples();

private:
    std::string path_;
    std::size_t read_ = 0;
    std::vector<double> samples_;
};

/// Mean of samples[first, last); nullopt when there are none.
std::optional<double> mean(const std::vector<double>& samples, std::size_t first, std::size_t last);

/// One block character a sample, scaled to the largest; at most the last `width` samples.
std::string sparkline(const std::vector<double>& samples, std::size_t width);

} // namespace interlock::cli
