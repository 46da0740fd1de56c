#include "telemetry/span.hpp"

#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace interlock::telemetry {

namespace {

constexpr std::size_t trace_id_bytes = 16;
constexpr std::size_t span_id_bytes = 8;

bool is_lower_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
}

bool is_zero(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos;
}

std::string cut(std::string_view text) {
    return std::string(base::cut_bytes(text, base::limits::span_text_bytes_max));
}

/// All zeros means "no id" on the wire, so it is not one.
std::string new_hex_id(base::Random& random, std::size_t bytes) {
    for (;;) {
        auto id = base::hex(random.bytes(bytes));
        if (!is_zero(id))
            return id;
    }
}

class NullSpanSink final : public SpanSink {
public:
    void write(FinishedSpan) override {}
};

} // namespace

// https://www.w3.org/TR/trace-context/#traceparent-header: version 00 is exactly 55 characters;
// later versions may append fields after another dash, and version ff is forbidden.
std::optional<TraceContext> parse_traceparent(std::string_view text) {
    constexpr std::size_t known = 55;
    if (text.size() < known || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return std::nullopt;
    const auto version = text.substr(0, 2);
    const auto trace = text.substr(3, 32);
    const auto span = text.substr(36, 16);
    const auto flags = text.substr(53, 2);
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(span) ||
        !is_lower_hex(flags) || version == "ff" || is_zero(trace) || is_zero(span))
        return std::nullopt;
    if (text.size() > known && (version == "00" || text[known] != '-'))
        return std::nullopt;
    // The lowest bit of the last hexadecimal digit.
    const bool sampled = std::string_view("13579bdf").find(flags[1]) != std::string_view::npos;
    return TraceContext{std::string(trace), std::string(span), sampled};
}

std::string format_traceparent(const TraceContext& context) {
    return "00-" + context.trace_id + '-' + context.span_id + (context.sampled ? "-01" : "-00");
}

struct Span::State {
    SpanSink& sink;
    base::Clock& clock;
    base::Ticks started; // the end is start plus elapsed ticks: wall clocks step back
    FinishedSpan span;
    bool ended = false;
};

Span::Span(std::unique_ptr<State> state) : state_(std::move(state)) {}
Span::Span(Span&&) noexcept = default;
Span::~Span() {
    end();
}

void Span::set(std::string key, AttributeValue value) {
    if (auto* text = std::get_if<std::string>(&value))
        *text = cut(*text);
    auto& attributes = state_->span.attributes;
    const auto same = std::find_if(attributes.begin(), attributes.end(), [&](const auto& known) {
        return known.first == key;
    });
    if (same != attributes.end())
        same->second = std::move(value);
    else if (attributes.size() < base::limits::span_attributes_max)
        attributes.emplace_back(std::move(key), std::move(value));
    else
        ++state_->span.dropped_attributes;
}

void Span::fail(std::string type, std::string message) {
    set("error.type", std::move(type));
    state_->span.error = true;
    state_->span.status_message = cut(message);
}

const TraceContext& Span::context() const {
    return state_->span.context;
}

void Span::end() {
    if (!state_ || state_->ended)
        return;
    state_->ended = true;
    const auto elapsed = state_->clock.ticks() - state_->started;
    state_->span.end = state_->span.start + std::chrono::duration_cast<base::Duration>(elapsed);
    if (!state_->span.context.sampled)
        return;
    const auto context = state_->span.context;
    state_->sink.write(std::move(state_->span));
    state_->span.context = context; // stays readable: it is the parent of what follows
}

Tracer::Tracer(SpanSink& sink, base::Clock& clock, base::Random& random)
    : sink_(sink), clock_(clock), random_(random) {}

Span Tracer::start(std::string name, SpanKind kind, const std::optional<TraceContext>& parent) {
    FinishedSpan span;
    span.context.trace_id = parent ? parent->trace_id : new_hex_id(random_, trace_id_bytes);
    span.context.span_id = new_hex_id(random_, span_id_bytes);
    span.context.sampled = !parent || parent->sampled;
    span.parent_span_id = parent ? parent->span_id : "";
    span.name = cut(name);
    span.kind = kind;
    span.start = clock_.now();
    return Span(std::make_unique<Span::State>(Span::State{
        .sink = sink_, .clock = clock_, .started = clock_.ticks(), .span = std::move(span)}));
}

SpanSink& null_span_sink() {
    static NullSpanSink sink;
    return sink;
}

} // namespace interlock::telemetry
