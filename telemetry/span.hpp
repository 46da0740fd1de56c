// OpenTelemetry spans, W3C trace context in, OTLP JSON out. Spans are views for people; the audit
// log is the record. A span that cannot be written is dropped and counted, never waited for.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::telemetry {

class Metrics;

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
    std::uint32_t dropped_attributes = 0; // past limits::span_attributes_max
    bool error = false;
    std::string status_message;
};

class SpanSink {
public:
    virtual ~SpanSink() = default;
    /// Never blocks on a disk or a network.
    virtual void write(FinishedSpan span) = 0;
    /// Spans lost so far because the sink was full or could not write.
    virtual std::uint64_t dropped() const { return 0; }
};

/// A span under way; ends at end() or destruction and is then written, unless its trace is not
/// sampled. Not shared between threads.
class Span {
public:
    Span(Span&&) noexcept;
    Span& operator=(Span&&) = delete;
    ~Span();
    /// The last value of a key counts. Text is cut to limits::span_text_bytes_max.
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

struct FileSpanOptions {
    std::size_t file_bytes_max = base::limits::span_file_bytes_max;
    int files_kept = base::limits::span_files_kept; // with the one being written
    Metrics* metrics = nullptr;                     // told of drops when given
};
/// Appends OTLP JSON lines to `directory`/<service>.jsonl on a thread of its own and rotates by
/// size: <service>.1.jsonl is the newest that is full. Several processes may share the file.
std::unique_ptr<SpanSink> make_file_span_sink(
    const std::string& directory, const std::string& service_name, FileSpanOptions options = {}
);
/// Drops everything; for programs and tests without spans.
SpanSink& null_span_sink();

} // namespace interlock::telemetry
