#include "base/log.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <memory>
#include <mutex>

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace interlock::base {
namespace {

constexpr std::size_t value_chars_max = 2'000; // a line must stay readable

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return spdlog::level::debug;
    case LogLevel::info:
        return spdlog::level::info;
    case LogLevel::warning:
        return spdlog::level::warn;
    case LogLevel::error:
        return spdlog::level::err;
    }
    return spdlog::level::err;
}

const char* name_of(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return "debug";
    case LogLevel::info:
        return "info";
    case LogLevel::warning:
        return "warning";
    case LogLevel::error:
        return "error";
    }
    return "error";
}

struct Sink {
    Sink() : logger("interlock", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        logger.set_pattern("%v");
        logger.flush_on(spdlog::level::trace);
    }
    spdlog::logger logger;
    std::mutex mutex; // guards those below
    std::string program = "interlock";
    LogRedactor redactor = nullptr;
};

/// Never destroyed: threads may still log while the process ends.
Sink& sink() {
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a process has one log
    static Sink* const only = new Sink;
    return *only;
}

} // namespace

void log_setup(std::string_view program, LogLevel level, LogRedactor redactor) {
    const std::lock_guard lock(sink().mutex);
    sink().program = program;
    sink().redactor = redactor;
    sink().logger.set_level(to_spdlog(level));
}

void log_event(LogLevel level, std::string_view event, const LogFields& fields) {
    if (!sink().logger.should_log(to_spdlog(level))) {
        return;
    }
    nlohmann::ordered_json line;
    line["time"] = format_time(SystemClock().now());
    line["level"] = name_of(level);
    LogRedactor redactor = nullptr;
    {
        const std::lock_guard lock(sink().mutex);
        line["program"] = sink().program;
        redactor = sink().redactor;
    }
    line["event"] = event;
    for (const auto& [key, value] : fields) {
        // A field never replaces what the log itself says.
        const std::string name =
            line.contains(std::string(key)) ? "field." + std::string(key) : std::string(key);
        // Redacted before it is cut: half a secret would not be recognised.
        const std::string text = sanitize(value);
        line[name] = cut_middle(redactor == nullptr ? text : redactor(key, text), value_chars_max);
    }
    sink().logger.log(
        to_spdlog(level),
        "{}",
        line.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::ordered_json::error_handler_t::replace)
    );
}

const std::vector<std::string>& log_level_names() {
    static const std::vector<std::string> names{"debug", "info", "warning", "error"};
    return names;
}

Result<LogLevel> log_level_from_name(std::string_view text) {
    const auto& names = log_level_names();
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) {
        return Error{
            Errc::invalid_input,
            "There is no log level of that name.",
            "Use debug, info, warning or error."};
    }
    return static_cast<LogLevel>(found - names.begin());
}

} // namespace interlock::base
