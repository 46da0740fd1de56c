#include "cli/demo/throughput.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace interlock::cli {

namespace {

constexpr std::size_t progress_bytes_max = std::size_t{1} << 20; // 70 bytes a second: hours

} // namespace

std::optional<double> parse_progress(std::string_view line) {
    constexpr std::string_view start = "progress: ";
    constexpr std::string_view between = " s, ";
    if (!line.starts_with(start)) {
        return std::nullopt;
    }
    const std::size_t comma = line.find(between);
    if (comma == std::string_view::npos) {
        return std::nullopt;
    }
    line.remove_prefix(comma + between.size());
    double rate = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), rate);
    const auto rest = line.substr(static_cast<std::size_t>(parsed.ptr - line.data()));
    if (parsed.ec != std::errc{} || !rest.starts_with(" tps") || !std::isfinite(rate) || rate < 0) {
        return std::nullopt;
    }
    return rate;
}

Throughput::Throughput(std::string path) : path_(std::move(path)) {}

const std::vector<double>& Throughput::samples() {
    const auto text = base::read_file(path_, progress_bytes_max);
    if (!text) {
        return samples_; // not written yet
    }
    while (true) {
        const std::size_t end = text->find('\n', read_);
        if (end == std::string::npos) {
            return samples_;
        }
        if (const auto rate = parse_progress(std::string_view(*text).substr(read_, end - read_))) {
            samples_.push_back(*rate);
        }
        read_ = end + 1;
    }
}

std::optional<double>
mean(const std::vector<double>& samples, std::size_t first, std::size_t last) {
    last = std::min(last, samples.size());
    if (first >= last) {
        return std::nullopt;
    }
    const auto begin = samples.begin();
    const double sum = std::accumulate(
        begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last), 0.0
    );
    return sum / static_cast<double>(last - first);
}

std::string sparkline(const std::vector<double>& samples, std::size_t width) {
    static constexpr std::array<std::string_view, 9> blocks = {
        "\u2581", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    const std::size_t first = samples.size() > width ? samples.size() - width : 0;
    double highest = 0;
    for (std::size_t i = first; i < samples.size(); ++i) {
        highest = std::max(highest, samples[i]);
    }
    std::string line;
    for (std::size_t i = first; i < samples.size(); ++i) {
        const double part = highest > 0 ? samples[i] / highest : 0;
        line += blocks[static_cast<std::size_t>(std::lround(part * 8))];
    }
    return line;
}

} // namespace interlock::cli
