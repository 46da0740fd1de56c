// MCP over stdin and stdout: one message a line, nothing else on stdout. Answers may leave in
// another order than their requests came. Ends at the end of input, on a stop request, or when
// nobody reads any more. One process is one legacy session, whichever messages come first.
#pragma once

#include "base/limits.hpp"
#include "server/handler.hpp"
#include "server/hub.hpp"
#include "telemetry/identity.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
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

/// Whole lines to a file descriptor, from any thread. Waits for a reader that is slow; gives up for
/// good when the reader is gone, or does not read while the program is asked to stop.
class LineWriter {
public:
    explicit LineWriter(int descriptor) : descriptor_(descriptor) {}
    /// False when the line is lost.
    bool write(std::string_view text);
    bool broken() const { return broken_.load(); }
    /// Nobody waits for the reader any more.
    void give_up() { broken_.store(true); }

private:
    std::mutex writing_;
    int descriptor_;
    std::atomic<bool> broken_ = false;
};

/// Lines that whoever says them does not wait for: news are told to many, and a reader that does
/// not read must hold up none of the others. They leave in order, from a thread of their own.
class NewsWriter {
public:
    explicit NewsWriter(std::shared_ptr<LineWriter> writer);
    /// Waits a moment for what is still to be read.
    ~NewsWriter();
    NewsWriter(const NewsWriter&) = delete;
    NewsWriter& operator=(const NewsWriter&) = delete;
    /// False when too much waits to be read already, or nobody reads any more.
    bool offer(std::string line);
    /// The last word of a listen, which is never left out.
    void finish(std::string line);

private:
    void add(std::string line);
    void run(const std::stop_token& ending);

    const std::shared_ptr<LineWriter> writer_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<std::string> lines_; // the first is being written
    std::size_t bytes_ = 0;
    std::jthread thread_; // last: ends before what it uses
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
    std::shared_ptr<NewsWriter> news_;   // shared with listens
};

} // namespace interlock::server
