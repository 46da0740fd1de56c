// Sockets, deadlines and ownership of the HTTP server. Everything about one connection happens on
// the I/O thread; exchanges reach it by posting. An idle connection holds a socket and nothing
// else: readiness is awaited without a buffer, and bytes are read into one that all share.
#include "base/http_server.hpp"

#include "base/clock.hpp"
#include "base/http_head.hpp"
#include "base/http_reader.hpp"
#include "base/log.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace interlock::base {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds sweep_period{100}; // how late a deadline may be noticed
constexpr milliseconds accept_pause{100}; // after an accept failed for want of descriptors

class Connection;

/// What the connections of one server share. Exchanges keep it alive past the server, so that a
/// late answer finds an event loop that does not run instead of freed memory.
struct Core : std::enable_shared_from_this<Core> {
    explicit Core(HttpServerOptions chosen) : options(std::move(chosen)) {}

    void add(tcp::socket socket);
    void remove(const std::shared_ptr<Connection>& connection);
    void accept();
    void sweep();
    /// Ends idle connections now and the others after their answer.
    void drain();
    void close_all();

    HttpServerOptions options;
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
    asio::steady_timer accept_timer{io};
    asio::steady_timer sweep_timer{io};
    bool sweeping = false;
    bool stopping = false;
    std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
    std::unordered_map<std::string, std::size_t> per_address;
    std::size_t refusals = 0;   // connections past the caps, being told so
    std::size_t body_bytes = 0; // of requests being read or answered
    std::array<char, 64 * 1024> scratch{};

    std::mutex mutex; // guards all_closed
    std::condition_variable changed;
    bool all_closed = true;
};

class Connection final : public std::enable_shared_from_this<Connection> {
public:
    Connection(Core& core, tcp::socket socket, std::string peer, bool refused)
        : core_(core), socket_(std::move(socket)), peer_(std::move(peer)), refused_(refused) {}

    void start();
    void drain();
    /// Closes now; whoever still works on an answer is told.
    void shut();
    bool has_expired(Ticks now) const;
    void expire();

    // From the exchange with this number; anything else comes too late and is dropped.
    void answer(std::uint64_t exchange, const HttpResponse& response);
    void begin_stream(std::uint64_t exchange, unsigned status, const HttpHeaders& headers);
    void append(std::uint64_t exchange, std::string_view bytes);
    void end_stream(std::uint64_t exchange);
    void abandon(std::uint64_t exchange);

    const std::string& peer() const { return peer_; }
    bool refused() const { return refused_; }

private:
    enum class Phase {
        idle,      // between requests
        reading,   // a request has begun
        working,   // a handler has it
        streaming, // its answer has begun
        answered,  // its answer is complete, perhaps not yet sent
        lingering, // closed for writing; reading on, so that the answer is not lost to a reset
        closed,
    };

    void watch();
    void on_readable(error_code problem);
    void on_end_of_input();
    void advance();
    bool pass_gate();
    bool charge(std::size_t bytes);
    void dispatch();
    void answer_and_close(HttpResponse response);
    void complete();
    void send(std::string bytes);
    void write_some();
    void on_sent();
    void become_idle();
    void linger();
    Ticks in(milliseconds duration) const { return SystemClock().ticks() + duration; }
    HttpFraming framing() const { return {http_1_0_, head_only_, close_}; }

    Core& core_;
    tcp::socket socket_;
    std::string peer_;
    const bool refused_;
    Phase phase_ = Phase::idle;
    bool watching_ = false;
    bool input_ended_ = false;
    bool writing_ = false;
    bool http_1_0_ = false;
    bool head_only_ = false;
    bool close_ = false;
    std::uint64_t exchange_ = 0; // number of the request now answered
    std::size_t charged_ = 0;    // our part of core_.body_bytes
    std::optional<Ticks> deadline_;
    Ticks write_deadline_{};
    std::unique_ptr<HttpReader> reader_;
    std::optional<std::stop_source> gone_;
    std::string in_;
    std::string out_;     // being written, from sent_ on
    std::string pending_; // to be written next
    std::size_t sent_ = 0;
};

/// What a handler holds. It owns no socket: it posts to the connection, if that still exists.
class Exchange final : public HttpExchange {
public:
    Exchange(
        std::shared_ptr<Core> core,
        std::weak_ptr<Connection> connection,
        std::uint64_t number,
        HttpRequest request,
        std::stop_token gone
    )
        : core_(std::move(core)),
          connection_(std::move(connection)),
          number_(number),
          request_(std::move(request)),
          gone_(std::move(gone)) {}

    ~Exchange() override {
        if (stage_.exchange(Stage::over) != Stage::over) {
            post([number = number_](Connection& connection) { connection.abandon(number); });
        }
    }

    const HttpRequest& request() const override { return request_; }
    std::stop_token gone() const override { return gone_; }

    void respond(HttpResponse response) override {
        if (move_on(Stage::open, Stage::over)) {
            post([number = number_, response = std::move(response)](Connection& connection) {
                connection.answer(number, response);
            });
        }
    }
    void start_stream(unsigned status, HttpHeaders headers) override {
        if (move_on(Stage::open, Stage::streaming)) {
            post([number = number_, status, headers = std::move(headers)](Connection& connection) {
                connection.begin_stream(number, status, headers);
            });
        }
    }
    void write(std::string bytes) override {
        if (stage_.load() == Stage::streaming) {
            post([number = number_, bytes = std::move(bytes)](Connection& connection) {
                connection.append(number, bytes);
            });
        }
    }
    void finish() override {
        if (move_on(Stage::streaming, Stage::over)) {
            post([number = number_](Connection& connection) { connection.end_stream(number); });
        }
    }

private:
    enum class Stage { open, streaming, over };

    bool move_on(Stage from, Stage to) { return stage_.compare_exchange_strong(from, to); }

    template <class Action>
    void post(Action action) {
        asio::post(core_->io, [connection = connection_, action = std::move(action)] {
            if (const auto alive = connection.lock()) {
                action(*alive);
            }
        });
    }

    std::shared_ptr<Core> core_;
    std::weak_ptr<Connection> connection_;
    std::uint64_t number_;
    HttpRequest request_;
    std::stop_token gone_;
    std::atomic<Stage> stage_{Stage::open};
};

HttpResponse plain(unsigned status, const std::string& text) {
    return HttpResponse{status, {{"Content-Type", "text/plain; charset=utf-8"}}, text + "\n"};
}

HttpResponse overloaded() {
    HttpResponse response = plain(503, "The server has too many requests; try again.");
    response.headers.emplace_back("Retry-After", "1");
    return response;
}

// ---- Connection: reading ----

void Connection::start() {
    if (refused_) {
        answer_and_close(overloaded());
        return;
    }
    deadline_ = in(core_.options.deadlines.idle);
    watch();
}

/// One pending wait at most. While a handler works it notices the client going away, and takes in
/// a bounded part of a pipelined request.
void Connection::watch() {
    const bool full = phase_ != Phase::reading && phase_ != Phase::lingering &&
                      in_.size() >= limits::http_header_bytes_max;
    if (watching_ || full || input_ended_ || phase_ == Phase::closed) {
        return;
    }
    watching_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code problem) {
        self->watching_ = false;
        self->on_readable(problem);
    });
}

void Connection::on_readable(error_code problem) {
    if (phase_ == Phase::closed) {
        return;
    }
    std::size_t count = 0;
    if (!problem) {
        count = socket_.read_some(asio::buffer(core_.scratch), problem);
    }
    if (problem == asio::error::would_block || problem == asio::error::try_again) {
        watch();
    } else if (problem == asio::error::eof) {
        on_end_of_input();
    } else if (problem) {
        shut();
    } else {
        if (phase_ != Phase::lingering) {
            in_.append(core_.scratch.data(), count);
            advance();
        }
        watch();
    }
}

/// The client will send nothing more. It may still read the answer it waits for, if anybody cares
/// to finish it.
void Connection::on_end_of_input() {
    input_ended_ = true;
    const bool waits =
        phase_ == Phase::working || phase_ == Phase::streaming || phase_ == Phase::answered;
    if (!waits) {
        shut();
    } else if (gone_) {
        const auto self = shared_from_this();
        gone_->request_stop();
    }
}

void Connection::advance() {
    if (in_.empty() || (phase_ != Phase::idle && phase_ != Phase::reading)) {
        return;
    }
    if (phase_ == Phase::idle) {
        phase_ = Phase::reading;
        deadline_ = in(core_.options.deadlines.header);
        reader_ = std::make_unique<HttpReader>(core_.options.body_bytes_max);
    }
    auto state = reader_->feed(in_);
    if (state == HttpReader::State::gate) {
        if (!pass_gate()) {
            return;
        }
        state = reader_->feed(in_);
    }
    if (state == HttpReader::State::refused) {
        answer_and_close(reader_->refusal());
    } else if (!charge(reader_->body_bytes())) {
        answer_and_close(overloaded());
    } else if (state == HttpReader::State::complete) {
        dispatch();
    }
}

bool Connection::pass_gate() {
    http_1_0_ = reader_->http_1_0();
    head_only_ = reader_->request().method == "HEAD";
    reader_->request().peer = peer_;
    if (core_.options.gate) {
        if (const auto refusal = core_.options.gate(reader_->request())) {
            answer_and_close(*refusal);
            return false;
        }
    }
    if (reader_->open_gate() == HttpReader::State::body) {
        deadline_ = in(core_.options.deadlines.body);
        if (reader_->expects_continue() && in_.empty()) {
            send("HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
    return true;
}

/// Counts this request's body against what all of them may hold together.
bool Connection::charge(std::size_t bytes) {
    core_.body_bytes += bytes - charged_;
    charged_ = bytes;
    return bytes == 0 || core_.body_bytes <= limits::http_bodies_bytes_max;
}

void Connection::dispatch() {
    phase_ = Phase::working;
    deadline_.reset();
    close_ = !reader_->keep_alive();
    gone_.emplace();
    ++exchange_;
    auto exchange = std::make_shared<Exchange>(
        core_.shared_from_this(),
        weak_from_this(),
        exchange_,
        std::move(reader_->request()),
        gone_->get_token()
    );
    reader_.reset();
    try {
        core_.options.handler(std::move(exchange));
    } catch (const std::exception& problem) {
        // The exchange is gone with the handler's frame, so the client gets 500.
        log_error("http.handler_failed", {{"why", problem.what()}});
    }
}

// ---- Connection: answering ----

void Connection::answer(std::uint64_t exchange, const HttpResponse& response) {
    if (exchange != exchange_ || phase_ != Phase::working) {
        return;
    }
    close_ = close_ || core_.stopping || input_ended_;
    complete();
    send(render_answer(response, framing(), SystemClock().now()));
}

void Connection::begin_stream(std::uint64_t exchange, unsigned status, const HttpHeaders& headers) {
    if (exchange != exchange_ || phase_ != Phase::working) {
        return;
    }
    close_ = close_ || http_1_0_ || core_.stopping || input_ended_;
    phase_ = Phase::streaming;
    send(render_stream_head(status, headers, framing(), SystemClock().now()));
}

void Connection::append(std::uint64_t exchange, std::string_view bytes) {
    if (exchange != exchange_ || phase_ != Phase::streaming) {
        return;
    }
    if (pending_.size() + bytes.size() > limits::http_backlog_bytes_max) {
        shut(); // a client that does not read must not fill our memory
        return;
    }
    send(render_chunk(bytes, framing()));
}

void Connection::end_stream(std::uint64_t exchange) {
    if (exchange != exchange_ || phase_ != Phase::streaming) {
        return;
    }
    complete();
    send(render_stream_end(framing()));
}

/// The handler let go of the exchange: 500 if nothing was said yet. A stream cut short must not
/// look complete, so its connection just ends.
void Connection::abandon(std::uint64_t exchange) {
    if (exchange == exchange_ && phase_ == Phase::streaming) {
        shut();
    } else {
        answer(exchange, plain(500, "The server failed to answer this request."));
    }
}

/// Takes the answer by value: it may live in the reader that ends here.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void Connection::answer_and_close(HttpResponse response) {
    close_ = true;
    deadline_.reset();
    reader_.reset();
    complete();
    send(render_answer(response, framing(), SystemClock().now()));
}

void Connection::complete() {
    phase_ = Phase::answered;
    gone_.reset();
    charge(0);
}

void Connection::send(std::string bytes) {
    if (pending_.empty()) {
        pending_ = std::move(bytes);
    } else {
        pending_ += bytes;
    }
    if (!writing_) {
        on_sent();
    }
}

void Connection::write_some() {
    writing_ = true;
    write_deadline_ = in(core_.options.deadlines.write);
    socket_.async_write_some(
        asio::buffer(out_.data() + sent_, out_.size() - sent_),
        [self = shared_from_this()](error_code problem, std::size_t count) {
            if (self->phase_ == Phase::closed) {
                return;
            }
            if (problem) {
                self->shut();
                return;
            }
            self->sent_ += count;
            if (self->sent_ < self->out_.size()) {
                self->write_some();
            } else {
                self->writing_ = false;
                self->on_sent();
            }
        }
    );
}

/// Everything handed to the socket is out: take the next bytes, or go on after a whole answer.
void Connection::on_sent() {
    out_ = std::exchange(pending_, {});
    sent_ = 0;
    if (!out_.empty()) {
        write_some();
    } else if (phase_ == Phase::answered && close_) {
        linger();
    } else if (phase_ == Phase::answered) {
        become_idle();
    }
}

void Connection::become_idle() {
    if (core_.stopping || input_ended_) {
        shut();
        return;
    }
    phase_ = Phase::idle;
    http_1_0_ = false;
    head_only_ = false;
    deadline_ = in(core_.options.deadlines.idle);
    out_ = {};
    if (in_.empty()) {
        in_ = {};
        in_.shrink_to_fit();
    }
    advance(); // a pipelined request
    watch();
}

void Connection::linger() {
    error_code problem;
    socket_.shutdown(tcp::socket::shutdown_send, problem);
    if (problem || input_ended_ || core_.stopping) {
        shut();
        return;
    }
    phase_ = Phase::lingering;
    in_ = {};
    deadline_ = in(core_.options.deadlines.linger);
    watch();
}

// ---- Connection: ending ----

void Connection::drain() {
    if (phase_ == Phase::idle || phase_ == Phase::reading || phase_ == Phase::lingering) {
        shut();
    }
}

void Connection::shut() {
    if (phase_ == Phase::closed) {
        return;
    }
    const auto self = shared_from_this();
    phase_ = Phase::closed;
    charge(0);
    error_code ignored;
    socket_.close(ignored);
    core_.remove(self);
    if (auto gone = std::exchange(gone_, std::nullopt)) {
        gone->request_stop();
    }
}

bool Connection::has_expired(Ticks now) const {
    return (writing_ && now > write_deadline_) || (deadline_ && now > *deadline_);
}

void Connection::expire() {
    if (phase_ == Phase::reading && !writing_) {
        answer_and_close(plain(408, "The request did not arrive in time."));
    } else {
        shut();
    }
}

// ---- Core ----

void Core::accept() {
    acceptor.async_accept([this](error_code problem, tcp::socket socket) {
        if (problem == asio::error::operation_aborted || stopping) {
            return;
        }
        if (!problem) {
            add(std::move(socket));
            accept();
            return;
        }
        // Out of descriptors or memory: trying again at once would spin.
        log_warning("http.accept_failed", {{"why", problem.message()}});
        accept_timer.expires_after(accept_pause);
        accept_timer.async_wait([this](error_code cancelled) {
            if (!cancelled && !stopping) {
                accept();
            }
        });
    });
}

std::string address_of(const tcp::socket& socket) {
    error_code problem;
    auto address = socket.remote_endpoint(problem).address();
    if (!problem && address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    return problem ? "" : address.to_string();
}

void Core::add(tcp::socket socket) {
    std::string peer = address_of(socket);
    if (peer.empty()) {
        return; // gone already
    }
    const auto from_there = per_address.find(peer);
    const bool refused = connections.size() - refusals >= options.connections_max ||
                         (from_there != per_address.end() &&
                          from_there->second >= limits::http_connections_per_address_max);
    if (refused && refusals >= limits::http_refusals_max) {
        return;
    }
    error_code problem;
    socket.non_blocking(true, problem);
    socket.set_option(tcp::no_delay(true), problem);
    socket.set_option(asio::socket_base::keep_alive(true), problem);
    if (refused) {
        ++refusals;
    } else {
        ++per_address[peer];
    }
    auto connection =
        std::make_shared<Connection>(*this, std::move(socket), std::move(peer), refused);
    {
        const std::lock_guard lock(mutex);
        all_closed = false;
    }
    connections.emplace(connection.get(), connection);
    connection->start();
    if (!sweeping) {
        sweeping = true;
        sweep();
    }
}

void Core::remove(const std::shared_ptr<Connection>& connection) {
    if (connections.erase(connection.get()) == 0) {
        return;
    }
    if (connection->refused()) {
        --refusals;
    } else if (const auto count = per_address.find(connection->peer()); --count->second == 0) {
        per_address.erase(count);
    }
    if (connections.empty()) {
        const std::lock_guard lock(mutex);
        all_closed = true;
        changed.notify_all();
    }
}

/// One timer for all deadlines: a timer of its own would be most of an idle connection's memory.
void Core::sweep() {
    sweep_timer.expires_after(sweep_period);
    sweep_timer.async_wait([this](error_code cancelled) {
        if (cancelled || connections.empty()) {
            sweeping = false;
            return;
        }
        const Ticks now = SystemClock().ticks();
        std::vector<std::shared_ptr<Connection>> expired;
        for (const auto& [key, connection] : connections) {
            if (connection->has_expired(now)) {
                expired.push_back(connection);
            }
        }
        for (const auto& connection : expired) {
            connection->expire();
        }
        sweep();
    });
}

std::vector<std::shared_ptr<Connection>> all_of(const Core& core) {
    std::vector<std::shared_ptr<Connection>> all;
    all.reserve(core.connections.size());
    for (const auto& [key, connection] : core.connections) {
        all.push_back(connection);
    }
    return all;
}

void Core::drain() {
    stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    accept_timer.cancel();
    for (const auto& connection : all_of(*this)) {
        connection->drain();
    }
}

void Core::close_all() {
    for (const auto& connection : all_of(*this)) {
        connection->shut();
    }
    sweep_timer.cancel();
}

// ---- Server ----

class Server final : public HttpServer {
public:
    explicit Server(HttpServerOptions options)
        : core_(std::make_shared<Core>(std::move(options))) {}
    ~Server() override { stop(milliseconds{0}); }

    Status listen() {
        error_code problem;
        const auto address = asio::ip::make_address(core_->options.address, problem);
        if (problem) {
            return Error{
                Errc::invalid_input,
                "The listen address is not a numeric IP address.",
                "Write it as 127.0.0.1 or ::1."};
        }
        const tcp::endpoint endpoint(address, core_->options.port);
        auto& acceptor = core_->acceptor;
        acceptor.open(endpoint.protocol(), problem);
        if (!problem) {
            acceptor.set_option(tcp::acceptor::reuse_address(true), problem);
        }
        if (!problem) {
            acceptor.bind(endpoint, problem);
        }
        if (!problem) {
            acceptor.listen(asio::socket_base::max_listen_connections, problem);
        }
        if (!problem) {
            port_ = acceptor.local_endpoint(problem).port();
        }
        if (problem) {
            return Error{
                Errc::io,
                "Port " + std::to_string(core_->options.port) + " of " + core_->options.address +
                    " cannot be listened on: " + problem.message() + ".",
                "Choose another port, or end the program that holds it."};
        }
        return done;
    }

    void serve() {
        core_->accept();
        thread_ = std::thread([core = core_] { run(*core); });
    }

    /// An exception here is a defect or a want of memory; it ends one connection's turn, not all.
    static void run(Core& core) {
        for (bool running = true; running;) {
            try {
                core.io.run();
                running = false;
            } catch (const std::exception& problem) {
                log_error("http.turn_failed", {{"why", problem.what()}});
            }
        }
    }

    unsigned short port() const override { return port_; }

    void stop(milliseconds drain) override {
        const std::lock_guard once(stop_mutex_);
        if (!thread_.joinable()) {
            return;
        }
        asio::post(core_->io, [core = core_.get()] { core->drain(); });
        {
            std::unique_lock lock(core_->mutex);
            core_->changed.wait_for(lock, drain, [this] { return core_->all_closed; });
        }
        asio::post(core_->io, [this] {
            core_->close_all();
            work_.reset();
        });
        thread_.join();
        // What they hold may hold exchanges, and those hold the core.
        core_->options.handler = nullptr;
        core_->options.gate = nullptr;
    }

private:
    std::shared_ptr<Core> core_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{core_->io.get_executor()};
    unsigned short port_ = 0;
    std::mutex stop_mutex_;
    std::thread thread_;
};

} // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options) {
    if (!options.handler) {
        return Error{Errc::internal, "An HTTP server needs a handler.", ""};
    }
    auto server = std::make_unique<Server>(std::move(options));
    INTERLOCK_CHECK(server->listen());
    server->serve();
    return std::unique_ptr<HttpServer>(std::move(server));
}

} // namespace interlock::base
