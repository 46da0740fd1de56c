#include "server/event_streams.hpp"

#include "base/limits.hpp"
#include "server/sse.hpp"

#include <atomic>
#include <charconv>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace interlock::server {
namespace {

namespace limits = base::limits;

std::atomic<std::size_t>& bytes_kept_by_all() {
    static std::atomic<std::size_t> bytes{0};
    return bytes;
}

struct Event {
    std::uint64_t number;
    std::uint64_t round; // in which it was said
    std::string bytes;   // as they go out, id and all
};

struct Stream {
    std::uint64_t number = 0;
    bool resumable = false;
    bool finished = false;
    StreamCarrier carrier; // empty while nobody carries it
    std::deque<Event> kept;
    std::uint64_t first = 0;   // its priming event
    std::uint64_t last = 0;    // its newest event
    std::uint64_t dropped = 0; // the newest of those that are not kept any more

    bool carried() const { return static_cast<bool>(carrier.write); }
    void say(std::string bytes) {
        if (carried() && !carrier.write(std::move(bytes))) {
            carrier = {};
        }
    }
    void let_go() {
        if (carrier.end) {
            carrier.end();
        }
        carrier = {};
    }
};

/// "stream-event": both are counted over the whole session.
struct EventId {
    std::uint64_t stream = 0;
    std::uint64_t event = 0;
};

std::string text_of(const EventId& id) {
    return std::to_string(id.stream) + "-" + std::to_string(id.event);
}

std::optional<EventId> parse_event_id(std::string_view text) {
    EventId id;
    const char* const end = text.data() + text.size();
    const auto stream = std::from_chars(text.data(), end, id.stream);
    if (stream.ec != std::errc{} || stream.ptr == end || *stream.ptr != '-') {
        return std::nullopt;
    }
    const auto event = std::from_chars(stream.ptr + 1, end, id.event);
    if (event.ec != std::errc{} || event.ptr != end) {
        return std::nullopt;
    }
    return id;
}

} // namespace

struct EventStreams::State {
    std::mutex mutex;
    std::map<std::uint64_t, std::shared_ptr<Stream>> streams; // oldest first
    std::shared_ptr<Stream> standing; // also one of them; null = never opened
    std::uint64_t streams_made = 0;
    std::uint64_t events_made = 0;
    std::uint64_t round = 0; // of keep-alives
    std::size_t kept_bytes = 0;
    bool closed = false;

    std::shared_ptr<Stream> make(StreamCarrier carrier, bool resumable);
    void begin(Stream& stream);
    bool emit(Stream& stream, std::string_view message);
    void keep(Stream& stream, std::string bytes);
    void drop_first_event(Stream& stream);
    void drop_oldest_event();
    void drop_old_events(Stream& stream);
    bool make_room();
    void forget(Stream& stream);
};

/// Gives it an id to come back with, or at least sends its head on the way.
void EventStreams::State::begin(Stream& stream) {
    if (!stream.resumable) {
        stream.say(sse_keep_alive());
        return;
    }
    stream.last = ++events_made;
    if (stream.first == 0) {
        stream.first = stream.last;
    }
    stream.say(sse_priming(text_of({stream.number, stream.last})));
}

std::shared_ptr<Stream> EventStreams::State::make(StreamCarrier carrier, bool resumable) {
    auto stream = std::make_shared<Stream>();
    stream->number = ++streams_made;
    stream->carrier = std::move(carrier);
    if (!closed) {
        stream->resumable = resumable && make_room();
        streams.emplace(stream->number, stream);
    }
    return stream;
}

bool EventStreams::State::emit(Stream& stream, std::string_view message) {
    stream.last = ++events_made;
    const std::string id = stream.resumable ? text_of({stream.number, stream.last}) : std::string{};
    std::string bytes = sse_message(message, id);
    stream.say(bytes);
    if (stream.resumable) {
        keep(stream, std::move(bytes));
    }
    return stream.resumable || stream.carried();
}

void EventStreams::State::keep(Stream& stream, std::string bytes) {
    kept_bytes += bytes.size();
    bytes_kept_by_all() += bytes.size();
    stream.kept.push_back({stream.last, round, std::move(bytes)});
    while (kept_bytes > limits::session_event_bytes_max ||
           (kept_bytes > 0 && bytes_kept_by_all() > limits::sessions_event_bytes_max)) {
        drop_oldest_event();
    }
}

void EventStreams::State::drop_first_event(Stream& stream) {
    const std::size_t size = stream.kept.front().bytes.size();
    stream.dropped = stream.kept.front().number;
    kept_bytes -= size;
    bytes_kept_by_all() -= size;
    stream.kept.pop_front();
}

void EventStreams::State::drop_oldest_event() {
    Stream* oldest = nullptr;
    for (const auto& [number, stream] : streams) {
        const bool older = !stream->kept.empty() &&
                           (!oldest || stream->kept.front().number < oldest->kept.front().number);
        oldest = older ? stream.get() : oldest;
    }
    drop_first_event(*oldest);
}

/// A stream that has ended, and of which nothing is left to replay, goes too.
void EventStreams::State::drop_old_events(Stream& stream) {
    while (!stream.kept.empty() &&
           stream.kept.front().round + limits::session_event_rounds_max < round) {
        drop_first_event(stream);
    }
    if (stream.resumable && stream.finished && stream.kept.empty() && !stream.carried()) {
        forget(stream);
    }
}

/// For one more stream that is kept for replay.
bool EventStreams::State::make_room() {
    std::size_t kept = 0;
    Stream* finished = nullptr;
    Stream* alone = nullptr;
    for (const auto& [number, stream] : streams) {
        if (!stream->resumable || stream == standing) {
            continue;
        }
        ++kept;
        finished = !finished && stream->finished ? stream.get() : finished;
        alone = !alone && !stream->carried() ? stream.get() : alone;
    }
    if (kept < limits::session_streams_max) {
        return true;
    }
    Stream* const victim = finished ? finished : alone;
    if (victim) {
        forget(*victim);
    }
    return victim != nullptr;
}

/// No replay from here on.
void EventStreams::State::forget(Stream& stream) {
    while (!stream.kept.empty()) {
        drop_first_event(stream);
    }
    stream.resumable = false;
    streams.erase(stream.number); // maybe the last that held it
}

/// The writer's side of a request's stream.
class EventStreams::RequestStream final : public EventStream {
public:
    RequestStream(std::shared_ptr<State> state, std::shared_ptr<Stream> stream)
        : state_(std::move(state)), stream_(std::move(stream)) {}
    ~RequestStream() override { finish({}); }

    bool write(std::string_view message) override {
        const std::lock_guard lock(state_->mutex);
        return !stream_->finished && state_->emit(*stream_, message);
    }
    void finish(std::string_view message) override {
        const std::lock_guard lock(state_->mutex);
        if (stream_->finished) {
            return;
        }
        if (!message.empty()) {
            state_->emit(*stream_, message);
        }
        stream_->finished = true;
        stream_->let_go();
        if (!stream_->resumable) {
            state_->streams.erase(stream_->number);
        }
    }
    void pause(std::chrono::milliseconds retry) override {
        const std::lock_guard lock(state_->mutex);
        if (stream_->resumable) {
            stream_->say(sse_retry(retry));
            stream_->let_go();
        }
    }

private:
    std::shared_ptr<State> state_;
    std::shared_ptr<Stream> stream_;
};

EventStreams::EventStreams() : state_(std::make_shared<State>()) {}

EventStreams::~EventStreams() {
    close();
}

std::shared_ptr<EventStream> EventStreams::open(StreamCarrier carrier, bool resumable) {
    const std::lock_guard lock(state_->mutex);
    auto stream = state_->make(std::move(carrier), resumable);
    if (stream->resumable) {
        state_->begin(*stream);
    }
    return std::make_shared<RequestStream>(state_, std::move(stream));
}

void EventStreams::open_standing(StreamCarrier carrier, bool resumable) {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed) {
        carrier.end();
        return;
    }
    auto& standing = state_->standing;
    if (standing) {
        standing->let_go();
        standing->carrier = std::move(carrier);
    } else {
        standing = std::make_shared<Stream>();
        standing->number = ++state_->streams_made;
        standing->carrier = std::move(carrier);
        standing->resumable = resumable;
        state_->streams.emplace(standing->number, standing);
    }
    state_->begin(*standing);
}

bool EventStreams::resume(std::string_view last_event_id, StreamCarrier carrier) {
    const auto id = parse_event_id(last_event_id);
    if (!id) {
        return false;
    }
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->streams.find(id->stream);
    if (found == state_->streams.end() || !found->second->resumable ||
        id->event < found->second->first || id->event > found->second->last) {
        return false;
    }
    Stream& stream = *found->second;
    stream.let_go(); // a connection that is dead without our knowing, or a client that came twice
    stream.carrier = std::move(carrier);
    stream.say(
        id->event < stream.dropped ? std::string(": earlier events are not kept any more\n\n")
                                   : sse_keep_alive()
    );
    for (const Event& event : stream.kept) {
        if (event.number > id->event) {
            stream.say(event.bytes);
        }
    }
    if (stream.finished) {
        stream.let_go();
    }
    return true;
}

bool EventStreams::tell(std::string_view message) {
    const std::lock_guard lock(state_->mutex);
    return state_->standing && state_->emit(*state_->standing, message);
}

void EventStreams::keep_alive() {
    const std::lock_guard lock(state_->mutex);
    ++state_->round;
    for (auto at = state_->streams.begin(); at != state_->streams.end();) {
        const auto stream = at->second;
        ++at; // it may be forgotten
        stream->say(sse_keep_alive());
        state_->drop_old_events(*stream);
    }
}

bool EventStreams::carried() const {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [number, stream] : state_->streams) {
        if (stream->carried()) {
            return true;
        }
    }
    return false;
}

void EventStreams::close() {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    while (!state_->streams.empty()) {
        const auto stream = state_->streams.begin()->second;
        stream->finished = true;
        stream->let_go();
        state_->forget(*stream);
    }
    state_->standing.reset();
}

} // namespace interlock::server
