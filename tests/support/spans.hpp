// Remembers finished spans; for several threads.
#pragma once

#include "telemetry/span.hpp"

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::test {

class KeptSpans final : public telemetry::SpanSink {
public:
    void write(telemetry::FinishedSpan span) override {
        const std::lock_guard lock(mutex_);
        spans_.push_back(std::move(span));
    }
    std::vector<telemetry::FinishedSpan> all() const {
        const std::lock_guard lock(mutex_);
        return spans_;
    }
    /// The last of this name, if there is one.
    std::optional<telemetry::FinishedSpan> find(std::string_view name) const {
        const std::lock_guard lock(mutex_);
        for (auto span = spans_.rbegin(); span != spans_.rend(); ++span) {
            if (span->name == name)
                return *span;
        }
        return std::nullopt;
    }

private:
    mutable std::mutex mutex_;
    std::vector<telemetry::FinishedSpan> spans_;
};

/// An attribute of a span; nullopt: it has none of that key and type.
template <class T>
std::optional<T> attribute(const telemetry::FinishedSpan& span, std::string_view key) {
    for (const auto& [name, value] : span.attributes) {
        if (name == key && std::holds_alternative<T>(value))
            return std::get<T>(value);
    }
    return std::nullopt;
}
inline std::optional<std::string>
text_of(const telemetry::FinishedSpan& span, std::string_view key) {
    return attribute<std::string>(span, key);
}
inline std::optional<std::int64_t>
number_of(const telemetry::FinishedSpan& span, std::string_view key) {
    return attribute<std::int64_t>(span, key);
}

} // namespace interlock::test
