#include "telemetry/span.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"

#include <algorithm>
#include <array>

namespace interlock::telemetry {

namespace {

bool is_lower_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
}

bool is_zero(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos;
}

std::string_view cut(std::string_view text) {
    return base::cut_bytes(text, base::limits::span_text_bytes_max);
}

constexpr std::size_t trace_id_bytes = 16;
constexpr std::size_t span_id_bytes = 8;

/// Two digits a byte, without a text in between: every span has two.
template <std::size_t Digits>
HexId<Digits> id_of(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<char, Digits> text{};
    for (std::size_t i = 0; i < Digits / 2; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        text[2 * i] = digits[byte >> 4U];
        text[2 * i + 1] = digits[byte & 0xFU];
    }
    return std::string_view(text.data(), Digits);
}

/// Its own id, and that of a trace that begins with it. Both from one call: making random bytes
/// costs by the call. All zeros means "no id" on the wire, so it is not one.
void identify(TraceContext& context, bool begins_trace, base::Random& random) {
    const std::size_t before = begins_trace ? trace_id_bytes : 0;
    for (;;) {
        const auto bytes = random.bytes(before + span_id_bytes);
        const std::string_view all = bytes;
        if (begins_trace)
            context.trace_id = id_of<32>(all);
        context.span_id = id_of<16>(all.substr(before));
        if (!is_zero(context.trace_id.view()) && !is_zero(context.span_id.view()))
            return;
    }
}

class NullSpanSink final : public SpanSink {
public:
    void write(FinishedSpan) override {}
    bool keeps() const override { return false; }
};

/// Most spans have fewer; a span of a tool call has a few more.
constexpr std::size_t attributes_expected = 12;

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
    return TraceContext{trace, span, sampled};
}

std::string format_traceparent(const TraceContext& context) {
    std::string text("00-");
    text.append(context.trace_id.view()).append(1, '-').append(context.span_id.view());
    return text.append(context.sampled ? "-01" : "-00");
}

struct Span::State {
    SpanSink& sink;
    base::Clock& clock;
    base::Ticks started; // the end is start plus elapsed ticks: wall clocks step back
    std::optional<base::Ticks> over;
    bool recording;
    FinishedSpan span;
    bool ended = false;
};

Span::Span(std::unique_ptr<State> state) : state_(std::move(state)) {}
Span::Span(Span&&) noexcept = default;
Span::~Span() {
    end();
}

bool Span::recording() const {
    return state_->recording;
}

void Span::set(AttributeKey key, AttributeValue value) {
    if (!state_->recording)
        return;
    if (auto* text = std::get_if<std::string>(&value))
        text->resize(cut(*text).size());
    auto& attributes = state_->span.attributes;
    const auto same = std::find_if(attributes.begin(), attributes.end(), [&](const auto& known) {
        return known.key == key.text();
    });
    if (same != attributes.end())
        same->value = std::move(value);
    else if (attributes.size() < base::limits::span_attributes_max)
        attributes.push_back({key.text(), std::move(value)});
    else
        ++state_->span.dropped_attributes;
}

void Span::set_text(AttributeKey key, std::string_view text) {
    if (state_->recording)
        set(key, AttributeValue(std::string(cut(text))));
}

void Span::fail(std::string_view type, std::string_view message) {
    if (!state_->recording)
        return;
    set("error.type", type);
    state_->span.error = true;
    state_->span.status_message = cut(safe_text(message)); // a database may have said it
}

void Span::link(const TraceContext& other) {
    if (state_->recording && state_->span.links.size() < base::limits::span_attributes_max)
        state_->span.links.push_back(other);
}

const TraceContext& Span::context() const {
    return state_->span.context;
}

void Span::end() {
    if (!state_ || state_->ended)
        return;
    state_->ended = true;
    if (!state_->recording)
        return;
    const auto elapsed = state_->over.value_or(state_->clock.ticks()) - state_->started;
    state_->span.end = state_->span.start + std::chrono::duration_cast<base::Duration>(elapsed);
    const auto context = state_->span.context;
    state_->sink.write(std::move(state_->span));
    state_->span.context = context; // stays readable: it is the parent of what follows
}

Tracer::Tracer(SpanSink& sink, base::Clock& clock, base::Random& random)
    : sink_(sink), clock_(clock), random_(random) {}

Span Tracer::start(
    std::string_view name, SpanKind kind, const std::optional<TraceContext>& parent
) {
    FinishedSpan span;
    if (parent)
        span.context.trace_id = parent->trace_id;
    identify(span.context, /*begins_trace=*/!parent, random_);
    span.context.sampled = !parent || parent->sampled;
    const bool recording = span.context.sampled && sink_.keeps();
    if (recording) {
        if (parent)
            span.parent_span_id = parent->span_id;
        span.name = cut(name);
        span.kind = kind;
        span.start = clock_.now();
        span.attributes.reserve(attributes_expected);
    }
    return Span(std::make_unique<Span::State>(Span::State{
        .sink = sink_,
        .clock = clock_,
        .started = recording ? clock_.ticks() : base::Ticks{},
        .over = std::nullopt,
        .recording = recording,
        .span = std::move(span)}));
}

Span Tracer::past(
    std::string_view name,
    SpanKind kind,
    const TraceContext& parent,
    base::Ticks began,
    base::Ticks ended
) {
    auto span = start(name, kind, parent);
    auto& state = *span.state_;
    if (state.recording) {
        state.span.start -= std::chrono::duration_cast<base::Duration>(state.started - began);
        state.started = began;
        state.over = ended;
    }
    return span;
}

SpanSink& null_span_sink() {
    static NullSpanSink sink;
    return sink;
}

} // namespace interlock::telemetry
