#include "server/stdio.hpp"

#include "base/log.hpp"
#include "base/signals.hpp"
#include "server/one_line.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace interlock::server {
namespace {

constexpr std::chrono::milliseconds poll_time{100};    // how late a stop request may be noticed
constexpr std::chrono::milliseconds news_flush{2'000}; // at the end
constexpr std::size_t news_bytes_max = base::limits::session_event_bytes_max;
constexpr int stalled_polls_max = 20; // at the end, a reader that takes nothing is waited for 2 s
constexpr std::size_t read_bytes = 64 * 1024;
// A pipe that polls as writable takes at least this much without blocking (PIPE_BUF).
constexpr std::size_t write_bytes = 4096;

enum class Ready { yes, not_yet, failed };

Ready wait_for(int descriptor, short events) {
    pollfd entry{descriptor, events, 0};
    const int count = ::poll(&entry, 1, static_cast<int>(poll_time.count()));
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

bool LineWriter::write(std::string_view text) {
    const std::string line = one_line(text) + '\n';
    const std::lock_guard lock(writing_);
    std::string_view rest = line;
    int stalled = 0;
    while (!rest.empty() && !broken()) {
        const Ready ready = wait_for(descriptor_, POLLOUT);
        if (ready == Ready::failed) {
            broken_ = true;
        } else if (ready == Ready::not_yet) {
            if (base::stop_requested() && ++stalled >= stalled_polls_max) {
                broken_ = true;
            }
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
    if (!rest.empty()) {
        base::log_warning("stdio.answer_lost", {{"bytes", std::to_string(rest.size())}});
    }
    return rest.empty();
}

NewsWriter::NewsWriter(std::shared_ptr<LineWriter> writer)
    : writer_(std::move(writer)), thread_([this](const std::stop_token& ending) { run(ending); }) {}

NewsWriter::~NewsWriter() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, news_flush, [this] { return lines_.empty(); })) {
        writer_->give_up();
    }
}

bool NewsWriter::offer(std::string line) {
    const std::lock_guard lock(mutex_);
    if (writer_->broken() || bytes_ + line.size() > news_bytes_max) {
        return false;
    }
    add(std::move(line));
    return true;
}

void NewsWriter::finish(std::string line) {
    const std::lock_guard lock(mutex_);
    add(std::move(line));
}

void NewsWriter::add(std::string line) {
    bytes_ += line.size();
    lines_.push_back(std::move(line));
    changed_.notify_all();
}

void NewsWriter::run(const std::stop_token& ending) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, ending, [this] { return !lines_.empty(); })) {
        const std::string line = std::move(lines_.front());
        lock.unlock();
        writer_->write(line);
        lock.lock();
        bytes_ -= line.size();
        lines_.pop_front();
        changed_.notify_all();
    }
}

namespace {

/// The way back for one message: lines. Whoever asks more than it reads is held up.
class LineOutlet final : public Outlet {
public:
    explicit LineOutlet(std::shared_ptr<LineWriter> writer) : writer_(std::move(writer)) {}

    bool push(std::string message) override {
        const std::lock_guard lock(mutex_);
        return !finished_ && writer_->write(message);
    }
    void finish(Reply reply) override {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(finished_, true) && !reply.body.empty()) {
            writer_->write(reply.body);
        }
    }

private:
    std::shared_ptr<LineWriter> writer_;
    std::mutex mutex_;
    bool finished_ = false;
};

/// The way back for a listen, and for news of the session: told by those who have others to tell,
/// so they never wait.
class NewsOutlet final : public Outlet {
public:
    explicit NewsOutlet(std::shared_ptr<NewsWriter> news) : news_(std::move(news)) {}

    bool push(std::string message) override {
        const std::lock_guard lock(mutex_);
        return !finished_ && news_->offer(std::move(message));
    }
    void finish(Reply reply) override {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(finished_, true) && !reply.body.empty()) {
            news_->finish(std::move(reply.body));
        }
    }

private:
    const std::shared_ptr<NewsWriter> news_;
    std::mutex mutex_;
    bool finished_ = false;
};

} // namespace

StdioServer::StdioServer(
    MessageHandler& handler, Hub& hub, telemetry::Identity identity, int in, int out
)
    : handler_(handler),
      hub_(hub),
      in_(in),
      writer_(std::make_shared<LineWriter>(out)),
      news_(std::make_shared<NewsWriter>(writer_)) {
    arrival_.transport = Transport::stdio;
    arrival_.access.identity = std::move(identity);
    arrival_.process = std::make_shared<LegacySession>();
}

void StdioServer::serve() {
    LineSplitter splitter;
    std::vector<char> buffer(read_bytes);
    hub_.attach_process(arrival_.process, std::make_shared<NewsOutlet>(news_));
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
    const auto way_back = [this](const Reaction& reaction) -> std::shared_ptr<Outlet> {
        if (listens(reaction)) {
            return std::make_shared<NewsOutlet>(news_);
        }
        return std::make_shared<LineOutlet>(writer_);
    };
    handler_.handle(line.text, arrival_, {}, way_back);
}

} // namespace interlock::server
