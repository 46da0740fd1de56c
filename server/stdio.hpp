// MCP over stdin and stdout: one message a line, nothing else on stdout. Answers may leave in
// another order than their requests came. Ends at the end of input, on a stop request, or when
// nobody reads any more. One process is one legacy session, whichever messages come first.
#pragma once

#include "base/limits.hpp"
#include "server/handler.hpp"
#include "server/hub.hpp"
#include "telemetry/identity.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::server {

/// One line of input. A line past the limit is skipped to its end and told as such.
struct Line {
    std::string text;
    bool too_long = false;
};

/// Cuts a byte stream into lines, however the bytes arrive. Bounded: never keeps more than one line
/// of at most `bytes_max`.
class LineSplitter {
public:
    explicit LineSplitter(std::size_t bytes_max = base::limits::json_bytes_max);
    /// The lines that these bytes complete, without their ends (\n or \r\n); empty lines are left
    /// out. What follows the last end is kept.
    std::vector<Line> feed(std::string_view bytes);
    /// Whether the stream stands in the middle of a line.
    bool midway() const { return !kept_.empty() || skipping_; }

private:
    void take(std::string_view part);

    std::size_t bytes_max_;
    std::string kept_;
    bool skipping_ = false;
};

/// Whole lines to a file descriptor, from any thread. Gives up for good when the reader is gone, or
/// does not read while the program is asked to stop.
class LineWriter {
public:
    explicit LineWriter(int descriptor) : descriptor_(descriptor) {}
    /// Waits for a reader that is slow. False when the line is lost.
    bool write(std::string_view text);
    /// The same, but gives the line up when its first byte cannot leave within `patience`.
    bool offer(std::string_view text, std::chrono::milliseconds patience);
    bool broken() const;

private:
    bool send(std::string_view text);

    std::timed_mutex writing_;
    int descriptor_;
    std::atomic<bool> broken_ = false;
};

class StdioServer {
public:
    StdioServer(MessageHandler& handler, Hub& hub, telemetry::Identity identity, int in, int out);
    /// Returns at the end; calls under way may still answer until the dispatcher is drained.
    void serve();

private:
    void take(const Line& line);

    MessageHandler& handler_;
    Hub& hub_;
    Arrival arrival_;
    int in_;
    std::shared_ptr<LineWriter> writer_; // shared with answers under way
};

} // namespace interlock::server
