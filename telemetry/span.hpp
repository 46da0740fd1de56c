// OpenTelemetry spans, W3C trace context in, OTLP JSON out. Spans are views for people; the audit
// log is the record. A span that cannot be written is dropped and counted, never waited for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace interlock::telemetry {

using AttributeValue = std::variant<std::string, std::int64_t, double, bool>;

/// A position in a trace: 16-byte trace id and 8-byte span id, lower-case hex.
struct TraceContext {
    std::string trace_id;
    std::string span_id;
    bool sampled = true;
};
/// Reads a `traceparent`; malformed text is nullopt (ignored, as the specification asks).
std::optional<TraceContext> parse_traceparent(std::string_view text);
std::string format_traceparent(const TraceContext& context);

enum class SpanKind { internal = 1, server = 2, client = 3 };

struct FinishedSpan {
    TraceContext context;
    std::string parent_span_id;
    std::string name;
    SpanKind kind = SpanKind::internal;
    base::Time start;
    base::Time end;
    std::vector<std::pair<std::string, AttributeValue>> attributes;
    bool error = false;
    std::string status_message;
};

class SpanSink {
public:
    virtual ~SpanSink() = default;
    virtual void write(FinishedSpan span) = 0;
};

/// A span under way; ends at end() or destruction. Not shared between threads.
class Span {
public:
    Span(Span&&) noexcept;
    Span& operator=(Span&&) = delete;
    ~Span();
    void set(std::string key, AttributeValue value);
    /// error.type and status.
    void fail(std::string type, std::string message);
    const TraceContext& context() const;
    void end();

private:
    friend class Tracer;
    struct State;
    explicit Span(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class Tracer {
public:
    Tracer(SpanSink& sink, base::Clock& clock, base::Random& random);
    Span start(std::string name, SpanKind kind, const std::optional<TraceContext>& parent);

private:
    SpanSink& sink_;
    base::Clock& clock_;
    base::Random& random_;
};

/// One ExportTraceServiceRequest (OTLP/JSON, protobuf JSON mapping) holding `spans`.
std::string otlp_json(const std::vector<FinishedSpan>& spans, const std::string& service_name);

/// Appends OTLP JSON lines to `directory`/<service>.jsonl on a thread of its own and rotates by
/// size (limits.hpp).
std::unique_ptr<SpanSink> make_file_span_sink(const std::string& directory, const std::string& service_name);
/// Drops everything; for programs and tests without spans.
SpanSink& null_span_sink();

}  // namespace interlock::telemetry
