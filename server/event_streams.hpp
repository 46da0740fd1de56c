// The event streams of legacy sessions: what was said on each, kept for a while, so that a client
// that lost its connection comes back with Last-Event-ID and misses nothing. Every stream belongs
// to one session; a message goes out on one stream only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace interlock::server {

/// Where bytes of a stream go: an HTTP answer under way. Must not block; false = it is gone.
using StreamWrite = std::function<bool(std::string bytes)>;
using StreamEnd = std::function<void()>;

/// A connection that carries a stream for as long as it lasts.
struct StreamCarrier {
    StreamWrite write;
    StreamEnd end; // closes the connection, not the stream
};

class EventStream;

/// All streams of one session. Thread-safe; bounded by limits::session_streams_max and
/// limits::session_event_bytes_max, oldest events first.
class EventStreams {
public:
    EventStreams();
    /// close().
    ~EventStreams();
    EventStreams(const EventStreams&) = delete;
    EventStreams& operator=(const EventStreams&) = delete;
    /// A stream for one request, carried by `carrier` from now on. `resumable`: events get ids, and
    /// it starts with a priming event (2025-11-25 only). The oldest finished stream makes room, or
    /// the oldest that nobody carries; while there is neither, a stream cannot be resumed.
    std::shared_ptr<EventStream> open(StreamCarrier carrier, bool resumable);
    /// The stream of the GET request: what concerns no request. A second GET takes it over.
    void open_standing(StreamCarrier carrier, bool resumable);
    /// Replays what followed `last_event_id` on its stream and carries it on; what is not kept any
    /// more is told in a comment. False: there is no such event, and the carrier was not used.
    bool resume(std::string_view last_event_id, StreamCarrier carrier);
    /// On the standing stream; false when nobody has opened one.
    bool tell(std::string_view message);
    /// A comment on every stream that is carried.
    void keep_alive();
    /// Whether a connection carries any of them: the client is there.
    bool carried() const;
    /// Ends every connection: the session is over.
    void close();

private:
    struct State;
    class RequestStream;
    std::shared_ptr<State> state_;
};

/// One stream of a request. Thread-safe. Letting go of it ends it.
class EventStream {
public:
    virtual ~EventStream() = default;
    /// Kept for replay even while nobody carries it (when resumable); false when it is lost.
    virtual bool write(std::string_view message) = 0;
    /// The last message ("" = none), then the end.
    virtual void finish(std::string_view message) = 0;
    /// Tells the client when to come back and lets its connection go.
    virtual void pause(std::chrono::milliseconds retry) = 0;
};

} // namespace interlock::server
