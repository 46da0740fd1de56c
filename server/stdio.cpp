#include "server/stdio.hpp"

#include "base/log.hpp"
#include "base/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace interlock::server {
namespace {

constexpr int poll_ms = 100;          // how late a stop request may be noticed
constexpr int stalled_polls_max = 20; // at the end, a reader that takes nothing is waited for 2 s
constexpr std::size_t read_bytes = 64 * 1024;
// A pipe that polls as writable takes at least this much without blocking (PIPE_BUF).
constexpr std::size_t write_bytes = 4096;

enum class Ready { yes, not_yet, failed };

Ready wait_for(int descriptor, short events) {
    pollfd entry{descriptor, events, 0};
    const int count = ::poll(&entry, 1, poll_ms);
    if (count < 0) {
        return errno == EINTR ? Ready::not_yet : Ready::failed;
    }
    if (count == 0) {
        return Ready::not_yet;
    }
    // POLLHUP on input comes with data or with end of file: read() tells which.
    const bool gone = (entry.revents & (POLLERR | POLLNVAL)) != 0;
    return gone ? Ready::failed : Ready::yes;
}

} // namespace

LineSplitter::LineSplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

void LineSplitter::take(std::string_view part) {
    if (skipping_) {
        return;
    }
    if (kept_.size() + part.size() > bytes_max_) {
        skipping_ = true;
        kept_.clear();
        kept_.shrink_to_fit();
        return;
    }
    kept_.append(part);
}

std::vector<Line> LineSplitter::feed(std::string_view bytes) {
    std::vector<Line> lines;
    for (;;) {
        const auto end = bytes.find('\n');
        take(bytes.substr(0, end));
        if (end == std::string_view::npos) {
            return lines;
        }
        bytes.remove_prefix(end + 1);
        if (!kept_.empty() && kept_.back() == '\r') {
            kept_.pop_back();
        }
        if (skipping_ || !kept_.empty()) {
            lines.push_back(Line{std::move(kept_), skipping_});
        }
        kept_.clear();
        skipping_ = false;
    }
}

bool LineWriter::broken() const {
    const std::lock_guard lock(mutex_);
    return broken_;
}

void LineWriter::write(std::string_view text) {
    std::string line(text);
    line += '\n';
    const std::lock_guard lock(mutex_);
    std::string_view rest = line;
    int stalled = 0;
    while (!rest.empty() && !broken_) {
        const Ready ready = wait_for(descriptor_, POLLOUT);
        if (ready == Ready::failed) {
            broken_ = true;
        } else if (ready == Ready::not_yet) {
            broken_ = base::stop_requested() && ++stalled >= stalled_polls_max;
        } else {
            const auto written =
                ::write(descriptor_, rest.data(), std::min(rest.size(), write_bytes));
            if (written >= 0) {
                rest.remove_prefix(static_cast<std::size_t>(written));
            } else if (errno != EINTR && errno != EAGAIN) {
                broken_ = true;
            }
        }
    }
    if (broken_ && !rest.empty()) {
        base::log_warning("stdio.answer_lost", {{"bytes", std::to_string(rest.size())}});
    }
}

StdioServer::StdioServer(MessageHandler& handler, telemetry::Identity identity, int in, int out)
    : handler_(handler), in_(in), writer_(std::make_shared<LineWriter>(out)) {
    arrival_.transport = Transport::stdio;
    arrival_.identity = std::move(identity);
    arrival_.process = &process_;
}

void StdioServer::serve() {
    LineSplitter splitter;
    std::vector<char> buffer(read_bytes);
    while (!base::stop_requested() && !writer_->broken()) {
        const Ready ready = wait_for(in_, POLLIN);
        if (ready == Ready::not_yet) {
            continue;
        }
        const auto count = ready == Ready::yes ? ::read(in_, buffer.data(), buffer.size()) : 0;
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (count <= 0) {
            break;
        }
        for (const Line& line : splitter.feed({buffer.data(), static_cast<std::size_t>(count)})) {
            take(line);
        }
    }
    if (splitter.midway()) {
        // A message cut off by the end of input is no message: nothing may act on half of one.
        base::log_warning("stdio.cut_message_ignored");
    }
}

void StdioServer::take(const Line& line) {
    if (line.too_long) {
        writer_->write(render_error(
            {},
            {rpc::invalid_request,
             "A message is at most " + std::to_string(base::limits::json_bytes_max) + " bytes.",
             {}}
        ));
        return;
    }
    handler_.handle(line.text, arrival_, {}, [writer = writer_](const Reply& reply) {
        if (!reply.body.empty()) {
            writer->write(reply.body);
        }
    });
}

} // namespace interlock::server
