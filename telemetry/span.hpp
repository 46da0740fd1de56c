// OpenTelemetry spans and W3C trace context. Spans are views for people; the audit log is the
// record. A span that cannot be kept is dropped and counted, never waited for, and one of a trace
// that nobody samples costs its identifiers and nothing else.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::telemetry {

/// An identifier of `Digits` lower-case hexadecimal digits, or none. Held in place: every span has
/// three of them.
template <std::size_t Digits>
class HexId {
public:
    HexId() = default;
    /// Text of another length is no identifier.
    template <class Text>
    requires std::convertible_to<const Text&, std::string_view> HexId(const Text& text
    ) { // NOLINT(google-explicit-constructor): text is how ids travel
        const std::string_view digits = text;
        if (digits.size() == Digits) {
            std::copy(digits.begin(), digits.end(), digits_.begin());
        }
    }
    bool empty() const { return digits_[0] == '\0'; }
    std::string_view view() const {
        return empty() ? "" : std::string_view(digits_.data(), Digits);
    }
    friend bool operator==(const HexId& left, const HexId& right) {
        return left.digits_ == right.digits_;
    }
    template <class Text>
    requires std::convertible_to<const Text&, std::string_view>
    friend bool operator==(const HexId& left, const Text& right) {
        return left.view() == std::string_view(right);
    }

private:
    std::array<char, Digits> digits_{};
};
using TraceId = HexId<32>;
using SpanId = HexId<16>;

/// A position in a trace.
struct TraceContext {
    TraceId trace_id;
    SpanId span_id;
    bool sampled = true;
};
/// Reads a `traceparent`; malformed text is nullopt (ignored, as the specification asks).
std::optional<TraceContext> parse_traceparent(std::string_view text);
std::string format_traceparent(const TraceContext& context);

/// The name of an attribute: a literal, so that names come from code and cost nothing.
class AttributeKey {
public:
    consteval AttributeKey(const char* literal)
        : text_(literal) {} // NOLINT(google-explicit-constructor)
    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

using AttributeValue = std::variant<std::string, std::int64_t, double, bool>;
struct Attribute {
    std::string_view key; // of an AttributeKey
    AttributeValue value;
};

enum class SpanKind { internal = 1, server = 2, client = 3 };

struct FinishedSpan {
    TraceContext context;
    SpanId parent_span_id;
    std::string name;
    SpanKind kind = SpanKind::internal;
    base::Time start;
    base::Time end;
    std::vector<Attribute> attributes;
    std::vector<TraceContext> links;
    std::uint32_t dropped_attributes = 0; // past limits::span_attributes_max
    bool error = false;
    std::string status_message;
};

class SpanSink {
public:
    virtual ~SpanSink() = default;
    /// Never blocks on a disk or a network.
    virtual void write(FinishedSpan span) = 0;
    /// Spans lost so far, for whatever reason.
    virtual std::uint64_t dropped() const { return 0; }
    /// False: it keeps nothing, so that nobody need gather anything for it.
    virtual bool keeps() const { return true; }
};

/// A span under way; ends at end() or destruction and is then written, unless its trace is not
/// sampled. Not shared between threads.
class Span {
public:
    Span(Span&&) noexcept;
    Span& operator=(Span&&) = delete;
    ~Span();
    /// Whether what is set will be seen by anyone: who must work for a value asks first.
    bool recording() const;
    /// The last value of a key counts. Text is cut to limits::span_text_bytes_max.
    void set(AttributeKey key, AttributeValue value);
    /// Text that is copied only if it will be seen. A template, so that no constant 0 is taken for
    /// a null pointer to text.
    template <class Text>
    requires std::convertible_to<const Text&, std::string_view>
    void set(AttributeKey key, const Text& text) { set_text(key, text); }
    /// error.type, and the status ERROR with its description.
    void fail(std::string_view type, std::string_view message);
    /// Another trace that this belongs to as well.
    void link(const TraceContext& other);
    const TraceContext& context() const;
    void end();

private:
    friend class Tracer;
    struct State;
    explicit Span(std::unique_ptr<State> state);
    void set_text(AttributeKey key, std::string_view text);
    std::unique_ptr<State> state_;
};

class Tracer {
public:
    Tracer(SpanSink& sink, base::Clock& clock, base::Random& random);
    Span start(std::string_view name, SpanKind kind, const std::optional<TraceContext>& parent);
    /// Of something that is over already; its end is fixed, what is set is not.
    Span past(
        std::string_view name,
        SpanKind kind,
        const TraceContext& parent,
        base::Ticks began,
        base::Ticks ended
    );

private:
    SpanSink& sink_;
    base::Clock& clock_;
    base::Random& random_;
};

/// Drops everything; for programs and tests without spans.
SpanSink& null_span_sink();

} // namespace interlock::telemetry
